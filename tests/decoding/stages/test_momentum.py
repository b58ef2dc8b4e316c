"""Momentum decoding and the repetition penalty against their formulas."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import RepetitionPenaltyLogitsProcessor

from guiderail.decoding.stages.momentum import RESISTANCE, Momentum, walked_lengths
from guiderail.decoding.stages.repetition_penalty import RepetitionPenalty
from guiderail.decoding.stages.stage import StepState

VOCABULARY = 6
texts = st.lists(st.integers(0, VOCABULARY - 1), max_size=40)


def longest(walked: list[int], candidate: int) -> int:
    """The longest n-gram, by trying all of them."""
    text = [*walked, candidate]
    found = [n for n in range(1, 6) for i in range(len(walked) - n + 1) if walked[i : i + n] == text[-n:]]
    return max(found, default=0)


@given(texts)
def test_lengths_equal_a_search_of_all_ngrams(walked: list[int]) -> None:
    assert walked_lengths(walked, range(VOCABULARY)) == [longest(walked, v) for v in range(VOCABULARY)]


@given(texts, st.integers(0, 12), st.integers(0, 100), st.floats(0, 1), st.integers(1, 8), st.booleans())
def test_scores_are_the_papers(ids: list[int], step: int, seed: int, alpha: float, k: int, prompt: bool) -> None:
    """p - alpha f(r) over the k most probable, exact to 1e-6, over the text that counts."""
    step = min(step, len(ids))
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed))
    p = logits.double().softmax(-1).tolist()
    walked = ids if prompt else ids[len(ids) - step :]
    best = sorted(range(VOCABULARY), key=lambda v: -p[v])[:k]
    got = Momentum(alpha, k, prompt)(logits, StepState(ids, step))
    for v in range(VOCABULARY):
        want = p[v] - alpha * RESISTANCE[longest(walked, v)] if v in best else float("-inf")
        assert float(got[v]) == pytest.approx(want, abs=1e-6)


@given(st.lists(st.integers(0, VOCABULARY + 2), min_size=1, max_size=20), st.integers(0, 100), st.floats(1, 3))
def test_the_penalty_is_transformers_own(ids: list[int], seed: int, theta: float) -> None:
    """Equal to transformers' processor; sentinels beyond the scored vocabulary do no harm."""
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed))
    known = torch.tensor([[i for i in ids if i < VOCABULARY]], dtype=torch.long)
    want = RepetitionPenaltyLogitsProcessor(theta)(known, logits[None].clone())[0]  # pyright: ignore
    assert torch.allclose(RepetitionPenalty(theta)(logits, StepState(ids, 0)), want)
