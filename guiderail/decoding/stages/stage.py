"""The contract of a logits stage: a pure change of one step's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class StepState:
    """What a stage may know about the step whose scores it changes.

    Parameters
    ----------
    ids
        The sequence so far, the prompt included.
    step
        Tokens decoded before this one.
    """

    ids: Sequence[int]
    step: int


class LogitsStage(Protocol):
    """A function of the scores and the sequence so far.

    What it keeps between two calls must not change its answers: methods that compare continuations ask about one and
    then about another, and those that verify drafts ask about tokens of which some are dropped again.
    """

    def __call__(self, logits: torch.Tensor, state: StepState, /) -> torch.Tensor:
        """Changed scores, float32 [vocabulary]; `logits` itself is left as it was."""
        ...
