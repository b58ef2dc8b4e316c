"""How probable a model finds a text."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.evaluation import likelihood
from guiderail.evaluation.likelihood import Scorer, begin_id, shuffled_lines, windows
from guiderail.model.attention import Step
from guiderail.model.model import Model
from tests.helpers.models import tiny_model
from tests.helpers.tiny import training_text

TEXT = training_text()[2000:2600]


def direct(model: Model, ids: list[int]) -> torch.Tensor:
    """Log-probabilities [n, vocabulary] before every token but the first of `ids`, in one pass."""
    shape = CacheShape.of(model)
    positions = torch.arange(len(ids))
    step = Step(KeyValueBuffers(shape, len(ids)), slice(0, len(ids)), len(ids))
    if model.has_sliding_layers:
        step.query_positions, step.key_positions = positions, positions
    return model.forward(torch.tensor(ids), positions, step, last=False).log_softmax(-1)[:-1]


@given(st.integers(0, 60), st.integers(1, 20))
def test_windows_score_every_token_once_and_read_no_more_than_their_width(length: int, width: int) -> None:
    found = list(windows(length, width))
    assert [i for w in found for i in range(w.first, w.end)] == list(range(length))
    assert all(0 <= w.begin <= w.first < w.end and w.end - w.begin <= width for w in found)
    assert all(w.first - w.begin >= width // 2 for w in found[1:] if width > 1)


@pytest.mark.parametrize("family", ["qwen3", "codellama", "starcoder2"])
def test_a_text_in_one_window_costs_what_one_pass_says(family: str) -> None:
    model = tiny_model(family)
    ids = model.tokenizer.encode(TEXT)
    logprobs = direct(model, [begin_id(model.tokenizer), *ids])
    scores = Scorer(model, 1000).score(ids)
    expected = logprobs.gather(1, torch.tensor(ids)[:, None])[:, 0]
    assert torch.allclose(scores.truth, expected, atol=1e-4)
    assert torch.allclose(scores.top, logprobs.amax(-1), atol=1e-4)
    assert scores.bits == pytest.approx(-expected.sum().item() / math.log(2), rel=1e-4)


def test_chunks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("qwen3")
    ids = model.tokenizer.encode(TEXT)
    whole = Scorer(model, 1000).score(ids)
    monkeypatch.setattr(likelihood, "CHUNK", 37)
    chunked = Scorer(model, 1000).score(ids)
    assert torch.allclose(whole.truth, chunked.truth, atol=1e-4)


def test_a_later_window_sees_its_own_context_alone() -> None:
    model = tiny_model("qwen3")
    ids = model.tokenizer.encode(TEXT)
    scores = Scorer(model, 65).score(ids)  # 64 tokens after the beginning mark
    window = list(windows(len(ids), 64))[2]
    logprobs = direct(model, [begin_id(model.tokenizer), *ids[window.begin : window.end]])
    expected = logprobs[window.first - window.begin :].gather(1, torch.tensor(ids[window.first : window.end])[:, None])
    assert torch.allclose(scores.truth[window.first : window.end], expected[:, 0], atol=1e-4)


def test_shuffling_changes_later_windows_only() -> None:
    model = tiny_model("qwen3")
    ids = model.tokenizer.encode(TEXT)
    scorer = Scorer(model, 65)
    plain, shuffled = scorer.score(ids), scorer.score(ids, shuffle=random.Random(0))
    assert torch.equal(plain.truth[:64], shuffled.truth[:64])
    assert not torch.allclose(plain.truth[64:], shuffled.truth[64:], atol=1e-4)


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(0, 5))
def test_shuffled_lines_are_the_same_lines_and_the_unfinished_one_stays_last(ids: list[int], seed: int) -> None:
    token_bytes = [b"a", b"b", b"\n", b"c\n"]
    shuffled = shuffled_lines(ids, token_bytes, random.Random(seed))
    before = b"".join(token_bytes[i] for i in ids).split(b"\n")
    after = b"".join(token_bytes[i] for i in shuffled).split(b"\n")
    assert sorted(before[:-1]) == sorted(after[:-1]) and before[-1] == after[-1]
