"""A report of how a cache was fitted to a sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a cache was made to fit a sequence.

    Parameters
    ----------
    length, kept, encoded
        Tokens of the sequence; of these, those whose keys and values were re-used, and those that were run.
    rotated
        Tokens whose keys were rotated to a new position.
    stale
        Tokens that are not exact now.
    policy, reason
        Which way was taken, and why.
    seconds
        By part: "diff" (and choosing), "move" (and rotating), "encode".
    logits
        Scores after the last token, float32 [vocabulary]; None if the fit was cancelled.
    """

    length: int
    kept: int
    encoded: int
    rotated: int
    stale: int
    policy: Literal["exact", "patch"]
    reason: str
    seconds: dict[str, float] = field(default_factory=dict)
    logits: torch.Tensor | None = None

    @property
    def exact(self) -> bool:
        """Whether the cache is a full encoding's, and so are the scores."""
        return self.stale == 0
