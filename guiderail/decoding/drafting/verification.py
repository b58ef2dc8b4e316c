"""Verifying drafts: choosing a token where a draft has candidates for it, without changing its distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from guiderail.decoding.sampling import Sampler


class Verifier:
    """Takes a token distributed as `sampler(scores)` is, whatever the candidates.

    With candidates that were picked the token is chosen without them and compared by the caller: for one seed it is
    the same token as without a draft, and no rule accepts them more often. Candidates that were drawn from a
    distribution are accepted more often by rejection sampling without replacement.

    Parameters
    ----------
    sampler
        How a token is chosen.
    candidates
        The ids that were drafted here, in the order drawn.
    drawn
        What they were drawn from, without replacement, float32 [vocabulary]; None if they were picked.
    """

    def __init__(self, sampler: Sampler, candidates: Sequence[int], drawn: torch.Tensor | None) -> None:
        self._chooser = sampler
        self._drawn = None if sampler.sampling.greedy or not candidates else drawn
        self._candidates = candidates

    def __call__(self, scores: torch.Tensor) -> int:
        """The id chosen from float32 [vocabulary], after stages and constraints.

        Asked again, because the token was refused, it draws afresh: the candidates depend on what was refused.
        """
        drawn, self._drawn = self._drawn, None
        if drawn is None:
            return self._chooser(scores)
        return _rejection(self._chooser, self._chooser.probabilities(scores), self._candidates, drawn)


def _rejection(sampler: Sampler, p: torch.Tensor, candidates: Sequence[int], drawn: torch.Tensor) -> int:
    """Recursive rejection sampling without replacement (arXiv 2402.14160, section 3.2): distributed as `p`."""
    q = drawn[: len(p)] / drawn[: len(p)].sum()
    for token in candidates:
        if sampler.uniform() * q[token] < p[token]:
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
