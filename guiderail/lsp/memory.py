"""What was suggested in a document, so that typing it only shortens it and costs no model call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.engine.completion import Completion
    from guiderail.engine.suggestion import Suggestion

KEPT = 8
_AUTO_CLOSED = frozenset(")]}>\"'`")


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion, or what is left of one, for a cursor.

    Parameters
    ----------
    text
        What the model would have at the cursor.
    suggestion, answer
        Where it comes from.
    typed
        How much of the suggestion the person has typed since.
    """

    text: str
    suggestion: Suggestion
    answer: Completion
    typed: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """The suggestions of one answered question.

    Parameters
    ----------
    before, after
        The document on both sides of the cursor.
    answer
        What the engine said, its texts with the document's own line ends.
    wanted
        How many suggestions were asked for.
    """

    before: str
    after: str
    answer: Completion
    wanted: int


class Memory:
    """The last answers of one document, newest first."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque(maxlen=KEPT)

    def keep(self, kept: Kept) -> None:
        """Remember an answer."""
        self._kept.appendleft(kept)

    def find(self, before: str, after: str, wanted: int, *, by_hand: bool = False) -> list[Offer] | None:
        """What is already known for a cursor; None if the model must be asked, `by_hand` by the method itself."""
        for kept in self._kept:
            if by_hand and kept.answer.is_stand_in:
                continue
            if kept.wanted < wanted or not before.startswith(kept.before) or not same_after(kept.after, after):
                continue
            typed = before[len(kept.before) :]
            found = offers(kept.answer, typed)
            if found or not typed:
                return found
        return None


def offers(answer: Completion, typed: str = "") -> list[Offer]:
    """What is left of an answer's suggestions when `typed` was typed after the cursor."""
    return [
        Offer(suggestion.text[len(typed) :], suggestion, answer, len(typed))
        for suggestion in answer.suggestions
        if suggestion.text.startswith(typed) and len(suggestion.text) > len(typed)
    ]


def same_after(kept: str, after: str) -> bool:
    """Whether nothing changed after the cursor but for brackets and quotes that the editor closed by itself."""
    extra = len(after) - len(kept)
    return 0 <= extra <= 4 and after.endswith(kept) and all(character in _AUTO_CLOSED for character in after[:extra])
