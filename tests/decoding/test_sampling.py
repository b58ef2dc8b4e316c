"""Sampling against transformers' own processors and against the exact distribution."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from guiderail.decoding.sampling import Sampler, Sampling, truncate
from guiderail.errors import UsageError
from tests.helpers.statistics import follows


def scores(seed: int, size: int = 50) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * 3


@given(
    st.integers(0, 10_000),
    st.floats(0.1, 3),
    st.integers(0, 60),
    st.floats(0.05, 1),
    st.sampled_from([0.0, 0.02, 0.3]),
)
def test_truncation_equals_transformers(seed: int, temperature: float, k: int, p: float, m: float) -> None:
    """Temperature, top-k, top-p and min-p keep the tokens, and give the scores, of transformers' processors."""
    logits, unread = scores(seed), torch.LongTensor()
    got = truncate(logits, Sampling(temperature=temperature, top_k=k, top_p=p, min_p=m))
    want = TemperatureLogitsWarper(temperature)(unread, logits[None].clone())
    if k:
        want = TopKLogitsWarper(k)(unread, want)
    if p < 1:
        want = TopPLogitsWarper(p)(unread, want)
    if m:
        want = MinPLogitsWarper(m)(unread, want)
    assert torch.equal(got.isinf(), want[0].isinf())
    assert torch.allclose(got.softmax(-1), want[0].softmax(-1), atol=1e-6)


def enumerated(row: list[float], sampling: Sampling) -> dict[int, float]:
    """Every kept token's probability, by the definitions over plain numbers: each truncation over what is left."""

    def normal(weights: dict[int, float]) -> dict[int, float]:
        total = sum(weights.values())
        return {token: weight / total for token, weight in weights.items()}

    p = normal({token: math.exp(score / sampling.temperature) for token, score in enumerate(row)})
    ranked = sorted(p, key=lambda token: -p[token])
    if sampling.top_k:
        p = normal({token: p[token] for token in ranked[: sampling.top_k]})
    kept, mass = list[int](), 0.0
    for token in (token for token in ranked if token in p):
        if mass < sampling.top_p:
            kept.append(token)
        mass += p[token]
    p = normal({token: p[token] for token in kept})
    return normal({token: one for token, one in p.items() if one >= sampling.min_p * max(p.values())})


@pytest.mark.parametrize(
    ("sampling", "tokens"),
    [
        (Sampling(temperature=0.7, seed=3), 12),
        (Sampling(temperature=0.7, top_k=6, seed=3), 6),
        (Sampling(temperature=1.3, top_p=0.8, seed=3), 5),
        (Sampling(temperature=1.3, min_p=0.1, seed=3), 7),
        (Sampling(temperature=2.0, top_k=9, top_p=0.9, min_p=0.15, seed=3), 7),
    ],
)
def test_samples_follow_the_distribution(sampling: Sampling, tokens: int) -> None:
    """Drawn frequencies match the enumerated distribution of each truncation and of all together (chi-square)."""
    logits, choose = scores(1, 12), Sampler(sampling)
    expected = enumerated(logits.tolist(), sampling)
    assert len(expected) == tokens
    counts = Counter(choose(logits) for _ in range(10_000))
    assert follows(counts, expected)
    assert not follows(counts, enumerated(logits.tolist(), replace(sampling, temperature=sampling.temperature * 0.85)))


def test_a_seed_repeats_and_streams_differ() -> None:
    """One seed draws the same tokens twice; another suggestion of the request draws from another stream."""
    sampling = Sampling(temperature=1.0, seed=7)

    def draw(index: int) -> list[int]:
        choose = Sampler(sampling, index)
        return [choose(scores(n)) for n in range(30)]

    assert draw(0) == draw(0) != draw(1)


@given(st.integers(0, 1000))
def test_greedy_takes_the_most_probable(seed: int) -> None:
    """Temperature 0 takes the argmax whatever the other settings."""
    logits = scores(seed)
    assert Sampler(Sampling(top_k=3, top_p=0.2))(logits) == int(logits.argmax())


@pytest.mark.parametrize("field", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.5}, {"min_p": 2}])
def test_settings_out_of_range_are_named(field: dict[str, float]) -> None:
    """A number outside its range is refused with its name and the range."""
    with pytest.raises(UsageError, match=next(iter(field))):
        Sampling(**field)  # type: ignore[arg-type]
