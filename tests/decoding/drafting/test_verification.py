"""Whatever was drafted, a token is distributed as if nothing had been."""

import pytest
import torch

from guiderail.decoding.drafting.verification import Drawn, Verifier
from guiderail.decoding.sampling import Sampler, Sampling
from tests.helpers.outcomes import outcomes

DRAWS = 5_000
CRITICAL = 27.9  # chi-square, 9 degrees of freedom, one in a thousand


def drawn_without_replacement(q: torch.Tensor, count: int, generator: torch.Generator) -> list[int]:
    return torch.multinomial(q, count, generator=generator).tolist()


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_rejection_without_replacement_is_exact(count: int, seed: int) -> None:
    """Chi-square over ten tokens: for one draft, for several, and for all tokens there are."""
    generator = torch.Generator().manual_seed(seed)
    scores = 1.5 * torch.randn(10, generator=generator)
    q = torch.rand(10, generator=generator)
    sampler = Sampler(Sampling(temperature=1.0, seed=seed))
    counts = torch.zeros(10)
    for _ in range(DRAWS):
        counts[Verifier(sampler, Drawn(q, drawn_without_replacement(q, count, generator)))(scores)] += 1
    expected = scores.softmax(-1) * DRAWS
    assert float(((counts - expected) ** 2 / expected).sum()) < CRITICAL


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_rule_is_exact_for_every_outcome(monkeypatch: pytest.MonkeyPatch, count: int, independent: bool) -> None:
    """Every draft that can be drawn, and every draw of its verification, each with its probability; also with p = q."""
    generator = torch.Generator().manual_seed(count)
    scores, q = 1.5 * torch.randn(4, generator=generator), torch.rand(4, generator=generator)
    sampler = Sampler(Sampling(temperature=1.0))
    for drawn_from in (q / q.sum(), scores.softmax(-1)):

        def program(q: torch.Tensor = drawn_from) -> int:
            left, tokens = q, []
            for _ in range(count):
                tokens.append(sampler.draw(left))
                left = left if independent else left.index_fill(0, torch.tensor(tokens), 0.0)
            return Verifier(sampler, Drawn(q, tokens, independent))(scores)

        found = outcomes(monkeypatch, program)
        assert [found[token] for token in range(4)] == pytest.approx(scores.softmax(-1).tolist(), abs=1e-6)


def test_drawn_candidates_are_accepted_more_often_than_picked_ones_would_be() -> None:
    """The reason for the rule: with q near p, one draft is nearly always accepted."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(10, generator=generator)
    q = (scores + 0.1 * torch.randn(10, generator=generator)).softmax(-1)
    sampler = Sampler(Sampling(temperature=1.0))
    hits = {True: 0, False: 0}
    for with_q in hits:
        for _ in range(2000):
            candidates = drawn_without_replacement(q, 1, generator)
            hits[with_q] += Verifier(sampler, Drawn(q, candidates) if with_q else None)(scores) in candidates
    assert hits[True] > 1800
    assert hits[False] < 800


def test_where_p_equals_q_the_first_candidate_is_taken() -> None:
    scores = torch.randn(10, generator=torch.Generator().manual_seed(4))
    sampler = Sampler(Sampling(temperature=1.0))
    for token in range(10):
        assert Verifier(sampler, Drawn(scores.softmax(-1), [token]))(scores) == token


def test_greedy_and_picked_candidates_leave_the_choice_alone() -> None:
    """The same seed gives the same tokens as without a draft."""
    scores = torch.randn(10, generator=torch.Generator().manual_seed(5))
    greedy = Sampler(Sampling())
    assert Verifier(greedy, Drawn(torch.ones(10), [1, 2]))(scores) == int(scores.argmax())
    one, other = Sampler(Sampling(temperature=1.0, seed=7)), Sampler(Sampling(temperature=1.0, seed=7))
    assert [Verifier(one, None)(scores) for _ in range(50)] == [other(scores) for _ in range(50)]
