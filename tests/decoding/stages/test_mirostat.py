"""Mirostat against its paper's formulas, and its memory of what was chosen."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.stages.mirostat import MirostatV1, MirostatV2, top_k_for, zipf_exponent
from guiderail.decoding.stages.stage import StepState
from tests.helpers.statistics import follows

VOCABULARY = 40
choices = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=12)


def scores(step: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(100 * seed + step)) * 3


def bounds(chosen: list[int], target: float, rate: float, clamped: bool) -> list[float]:
    """Mu at every step by the paper's update, from plain Python numbers."""
    mu, found = 2 * target, []
    for step, token in enumerate(chosen):
        found.append(mu)
        p = [math.exp(x) for x in scores(step).tolist()]
        surprise = -math.log2(p[token] / sum(p))
        mu -= rate * (min(surprise, 4 * target) - target)
        mu = min(max(mu, target / 2), 2 * target) if clamped else mu
    return found


def run(stage: MirostatV2, chosen: list[int]) -> list[torch.Tensor]:
    return [stage(scores(step), StepState([7, *chosen[:step]], step)) for step in range(len(chosen))]


@given(choices, st.floats(0.5, 6), st.floats(0.05, 1), st.booleans())
def test_version_2_keeps_what_surprises_by_at_most_mu(
    chosen: list[int], target: float, rate: float, clamped: bool
) -> None:
    """The kept tokens and their probabilities are those of the formula."""
    got = run(MirostatV2(target, rate, clamped), chosen)
    for step, mu in enumerate(bounds(chosen, target, rate, clamped)):
        p = scores(step).double().softmax(-1)
        keep = (-p.log2() <= mu + 1e-6) | (p == p.max())
        sure = (-p.log2() - mu).abs() > 1e-4  # neither side of the bound by rounding alone
        assert torch.equal(got[step].isfinite()[sure], keep[sure])
        if sure.all():
            want = torch.where(keep, p, 0) / p[keep].sum()
            assert torch.allclose(got[step].double().softmax(-1), want, atol=1e-6)


@given(choices, choices, st.integers(0, 11))
def test_a_rollback_decides_anew(first: list[int], second: list[int], back: int) -> None:
    """Drafts that were rejected leave no trace: the scores equal those of a stage that never saw them."""
    kept = first[: min(back, len(first) - 1)]
    stage, fresh = MirostatV2(), MirostatV2()
    run(stage, first)
    again = [*kept, *second]
    for step in range(len(kept), len(again)):
        got = stage(scores(step), StepState([7, *again[:step]], step))
        if step == len(kept):
            want = run(fresh, again)
        assert torch.equal(got, want[step])  # pyright: ignore[reportPossiblyUnboundVariable]


def test_a_new_request_begins_at_twice_the_target() -> None:
    stage, fresh = MirostatV2(2.0, 1.0), MirostatV2(2.0, 1.0)
    run(stage, [3, 3, 3])
    assert torch.equal(run(stage, [1])[0], run(fresh, [1])[0])


@given(st.integers(0, 500), st.floats(0.1, 8))
def test_version_1_is_the_papers_top_k(seed: int, mu: float) -> None:
    """Zipf's exponent by least squares, and k by equation 7, computed with plain numbers."""
    p = sorted(scores(0, seed).double().softmax(-1).tolist(), reverse=True)
    t = [math.log((i + 2) / (i + 1)) for i in range(VOCABULARY - 1)]
    b = [math.log(p[i] / p[i + 1]) for i in range(VOCABULARY - 1)]
    s = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
    assert zipf_exponent(torch.tensor(p).log()) == pytest.approx(s, abs=1e-6)
    k = ((s - 1) * 2**mu / (1 - VOCABULARY ** (1 - s))) ** (1 / s)
    assert top_k_for(mu, s, VOCABULARY) == min(max(1, round(k)), VOCABULARY)


def test_zipfs_law_at_its_limits() -> None:
    """An exponent of one divides nothing by zero; one certain token is kept alone; a flat distribution stays whole."""
    near = [top_k_for(4.0, 1 + e, 1000) for e in (-1e-6, 0.0, 1e-6)]
    assert len(set(near)) == 1
    certain = torch.full((VOCABULARY,), float("-inf"))
    certain[3] = 0.0
    assert int(MirostatV1()(certain, StepState([1], 0)).isfinite().sum()) == 1
    assert MirostatV1(8.0)(torch.zeros(VOCABULARY), StepState([1], 0)).isfinite().all()


def test_samples_come_at_the_target_surprise() -> None:
    """Over a wide distribution the mean surprise of what version 2 draws settles at the target."""
    generator, stage, target = torch.Generator().manual_seed(1), MirostatV2(3.0, 0.2), 3.0
    logits = -1.1 * torch.arange(1, 2001).double().log().float()
    bits = -logits.log_softmax(-1) / math.log(2)
    ids, drawn = [0], []
    for step in range(600):
        p = stage(logits, StepState(ids, step)).softmax(-1)
        ids = [*ids, int(torch.multinomial(p, 1, generator=generator))]
        drawn.append(float(bits[ids[-1]]))
    assert sum(drawn[100:]) / 500 == pytest.approx(target, abs=0.25)


SMALL = 12


@cache
def small_scores(chosen: tuple[int, ...]) -> list[float]:
    """Scores after what was chosen, which differ from token to token."""
    seed = 31 * len(chosen) + sum((place + 1) * token for place, token in enumerate(chosen))
    return (torch.randn(SMALL, generator=torch.Generator().manual_seed(seed)) * 1.2).tolist()


def kept_tokens(version: int, p: list[float], mu: float) -> list[int]:
    """The tokens that a version keeps of probabilities p, by the paper's formulas over plain numbers."""
    ranked = sorted(range(SMALL), key=lambda token: -p[token])
    if version == 2:
        return [token for token in ranked if -math.log2(p[token]) <= mu] or ranked[:1]
    t = [math.log((i + 2) / (i + 1)) for i in range(SMALL - 1)]
    b = [math.log(p[ranked[i]] / p[ranked[i + 1]]) for i in range(SMALL - 1)]
    s = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
    k = ((s - 1) * 2**mu / (1 - SMALL ** (1 - s))) ** (1 / s)
    return ranked[: min(max(1, round(k)), SMALL)]


def enumerated(version: int, target: float, rate: float, *, length: int = 2) -> dict[tuple[int, ...], float]:
    """The probability of every text that can be drawn."""
    texts = {(): (1.0, 2 * target)}  # with mu after it
    for _ in range(length):
        longer = {}
        for text, (before, mu) in texts.items():
            weights = [math.exp(x) for x in small_scores(text)]
            p = [weight / sum(weights) for weight in weights]
            kept = kept_tokens(version, p, mu)
            for token in kept:
                after = mu - rate * (min(-math.log2(p[token]), 4 * target) - target)
                longer[*text, token] = before * p[token] / sum(p[one] for one in kept), after
        texts = longer
    return {text: probability for text, (probability, _) in texts.items()}


@pytest.mark.parametrize(("version", "made"), [(1, MirostatV1), (2, MirostatV2)])
def test_texts_are_drawn_as_enumerated(version: int, made: type[MirostatV2] | type[MirostatV1]) -> None:
    """Whole texts come with the probabilities that the paper's formulas give, the bound's feedback included
    (chi-square); without the feedback they would not."""
    target, rate, counts = 2.0, 1.0, Counter[tuple[int, ...]]()
    choose = Sampler(Sampling(temperature=1.0, seed=version))
    for _ in range(4000):
        stage, text = made(target, rate, clamped=False), ()
        while len(text) < 2:
            logits = stage(torch.tensor(small_scores(text)), StepState([7, *text], len(text)))
            text = (*text, choose(logits))
        counts[text] += 1
    assert follows(counts, enumerated(version, target, rate))
    assert not follows(counts, enumerated(version, target, 0.0))
