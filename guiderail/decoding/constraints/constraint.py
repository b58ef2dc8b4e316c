"""The contract of a constraint on what may be written next.

A mask is int32 [ceil(vocabulary / 32)], 32 tokens a word, least significant bit first: the layout that llguidance and
xgrammar share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


class Constraint(ABC):
    """A language over the text still to be written.

    A subclass fills masks and follows the tokens. The other methods have neutral defaults: override those that apply.
    """

    @property
    def is_satisfied(self) -> bool:
        """Whether everything may be written from here on."""
        return False

    @property
    def key(self) -> Hashable:
        """Equal for two constraints that allow the same texts; None where the language is not known in advance."""
        return None

    @property
    def may_await(self) -> bool:
        """Whether `awaits` can be true at any step."""
        return type(self).awaits is not Constraint.awaits

    @property
    def reports(self) -> bool:
        """Whether `forbade` does anything; if not, nothing is computed for it."""
        return type(self).forbade is not Constraint.forbade

    @abstractmethod
    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Clear the bits of the tokens that may not come next (int32, in place)."""

    @abstractmethod
    def accept(self, token: int) -> None:
        """Move on by one token."""

    @abstractmethod
    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""

    def weigh(self, scores: torch.Tensor) -> torch.Tensor:
        """Scores in which some tokens are less likely, float32 [vocabulary]; `scores` itself is left as it was."""
        return scores

    def admits(self, token: int) -> bool:
        """Whether a chosen token may come; if not, the masks have become narrower, and the choice is made again.

        For constraints that can judge some tokens only once they are chosen. It refuses a finite number of times at
        one step.
        """
        return True

    def awaits(self, token: int | None) -> bool:
        """Whether the mask (or, of a token, whether it is admitted) depends on an answer that has not come yet.

        Asked for the mask nevertheless, the constraint waits for the answer.
        """
        return False

    def continuations(self, most: int) -> Sequence[bytes]:
        """The texts one of which must come next, as far as that is known without waiting; for drafters.

        Empty where it is not known, where there are more than `most`, or where anything may come.
        """
        return ()

    def forbade(self, token: int) -> None:  # noqa: B027
        """Called with the best token of a step that this constraint forbids."""
