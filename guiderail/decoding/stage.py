"""The contract of a pure change of one step's scores."""

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
    """A function of the scores and the sequence so far; it keeps nothing between two calls."""

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        """Changed scores, float32 [vocabulary]; `logits` itself is left as it was."""
        ...
