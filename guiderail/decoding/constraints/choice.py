"""Choosing a token under constraints: masking and weighing scores, and asking whether the token is admitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import allowed, full_mask


def choose(constraints: Sequence[Constraint], scores: torch.Tensor, sampler: Callable[[torch.Tensor], int]) -> int:
    """The token that `sampler` draws from the masked scores and that all constraints admit."""
    while True:
        token = sampler(apply(constraints, scores))
        if admitted(constraints, token):
            return token


def admitted(constraints: Sequence[Constraint], token: int) -> bool:
    """Whether all constraints admit a token; if not, masks have become narrower."""
    refusing = [constraint for constraint in constraints if not constraint.admits(token)]  # every one is asked
    return not refusing


def apply(constraints: Sequence[Constraint], logits: torch.Tensor) -> torch.Tensor:
    """Scores with -inf where a constraint forbids the token, changed where one weighs it.

    If all constraints together allow nothing, the newest is dropped, then the one before it: decoding never dead-ends.
    """
    waiting = [constraint for constraint in constraints if not constraint.is_satisfied]
    weighed = logits
    for constraint in constraints:
        weighed = constraint.weigh(weighed)
    while waiting:
        mask = full_mask(logits.shape[-1])
        for constraint in waiting:
            constraint.fill_mask(mask)
        allow = allowed(mask, logits.shape[-1])
        if allow.any():
            _report(waiting, weighed, allow)
            return weighed.masked_fill(~allow.to(logits.device), float("-inf"))
        waiting.pop()
    return weighed


def _report(constraints: Sequence[Constraint], scores: torch.Tensor, allow: torch.Tensor) -> None:
    """If the best token is forbidden, tell the constraints that forbid it and want to know."""
    reporting = [constraint for constraint in constraints if constraint.reports]
    if not reporting or allow[best := int(scores.argmax())]:
        return
    for constraint in reporting:
        mask = full_mask(scores.shape[-1])
        constraint.fill_mask(mask)
        if not allowed(mask, scores.shape[-1])[best]:
            constraint.forbade(best)
