"""Verifying drafts: choosing a token where a draft has candidates for it, without changing its distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from guiderail.decoding.sampling import Sampler

_HALVINGS = 50  # of an interval: to the last bit of a double


@dataclass(frozen=True, slots=True)
class Drawn:
    """Candidates that were drawn for one place.

    Parameters
    ----------
    q
        What they were drawn from, float32 [vocabulary].
    tokens
        In the order drawn.
    independent
        Whether each was drawn from all of `q`, so that one may come again, and not from what the others left.
    """

    q: torch.Tensor
    tokens: Sequence[int]
    independent: bool = False


class Verifier:
    """Takes a token distributed as `sampler(scores)` is, whatever the candidates.

    Candidates that were picked need no rule: the token is chosen without them and compared by the caller. For one seed
    it is the same token as without a draft, and no rule accepts them more often. Those that were drawn are accepted
    more often by a rule that knows from what.

    Parameters
    ----------
    sampler
        How a token is chosen.
    drawn
        The candidates; None where they were picked, or there are none.
    """

    def __init__(self, sampler: Sampler, drawn: Drawn | None) -> None:
        self._chooser = sampler
        self._drawn = drawn if drawn is not None and drawn.tokens and not sampler.sampling.greedy else None

    def __call__(self, scores: torch.Tensor) -> int:
        """The id chosen from float32 [vocabulary], after stages and constraints.

        Asked again, because the token was refused, it draws afresh: the candidates depend on what was refused.
        """
        drawn, self._drawn = self._drawn, None
        if drawn is None:
            return self._chooser(scores)
        p = self._chooser.probabilities(scores)
        q = drawn.q[: len(p)] / drawn.q[: len(p)].sum()
        rule = _k_sequences if drawn.independent else _without_replacement
        return rule(self._chooser, p, drawn.tokens, q)


def _without_replacement(sampler: Sampler, p: torch.Tensor, tokens: Sequence[int], q: torch.Tensor) -> int:
    """Recursive rejection sampling (RSD, arXiv 2402.14160, section 3.2): distributed as `p`."""
    for token in tokens:
        if sampler.accepts(float(p[token] / q[token])):
            return token
        rest = (p - q).clamp_min(0)
        if not rest.sum():  # p and q are equal but for rounding
            return sampler.draw(p)
        p = rest / rest.sum()
        q = q.index_fill(0, torch.tensor([token]), 0.0)
        if not q.sum():
            break
        q = q / q.sum()
    return sampler.draw(p)


def _k_sequences(sampler: Sampler, p: torch.Tensor, tokens: Sequence[int], q: torch.Tensor) -> int:
    """K-SEQ (SpecTr, arXiv 2310.15141, section 4) of independent draws: distributed as `p`."""
    p, q = p.double(), q.double()
    division = _division(p, q, len(tokens))
    for token in tokens:
        if sampler.accepts(float(p[token] / (division * q[token]))):
            return token
    taken = torch.minimum(q, p / division)
    once = float(taken.sum())  # the probability that one draw is accepted
    if not once:
        return sampler.draw(p)
    rest = (p - taken * ((1 - (1 - once) ** len(tokens)) / once)).clamp_min(0)
    return sampler.draw(rest if rest.sum() else p)


def _division(p: torch.Tensor, q: torch.Tensor, count: int) -> float:
    """The least divisor of `p` with which no token of `count` draws is taken more often than `p` has it."""

    def excess(divisor: float) -> float:
        once = float(torch.minimum(q, p / divisor).sum())
        return 1 - (1 - once) ** count - divisor * once

    low, high = 1.0, float(count)
    if excess(low) <= 0:
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high
