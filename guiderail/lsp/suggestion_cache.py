"""Caches the last answers for a document, so that typing a suggestion only shortens it, without a model call."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.engine.completion import Completion
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion

ENTRIES = 8
_AUTO_CLOSED = frozenset(")]}>\"'`")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A suggestion, of which the person may have typed a part since.

    Parameters
    ----------
    suggestion, answer
        What the model wrote, and the answer that it is part of.
    typed
        How many of its characters the person has typed since.
    is_fitted
        Whether it stands in the very text that it was fitted into.
    """

    suggestion: Suggestion
    answer: Completion
    typed: int = 0
    is_fitted: bool = False

    @property
    def text(self) -> str:
        """What is left of the suggestion at the cursor."""
        return self.suggestion.text[self.typed :]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with.

    Parameters
    ----------
    candidates
        The suggestions.
    answer
        The whole answer that they come from, or that holds none; None if the model answered nothing.
    """

    candidates: list[Candidate] = field(default_factory=list)
    answer: Completion | None = None


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An answered request.

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


class SuggestionCache:
    """The last answers for one document, the newest first."""

    def __init__(self) -> None:
        self._entries: deque[CacheEntry] = deque(maxlen=ENTRIES)

    def add(self, request: CompletionRequest, answer: Completion) -> None:
        """Keep an answer."""
        self._entries.appendleft(CacheEntry(request.before, request.after, answer, request.n))

    def find(self, request: CompletionRequest) -> Reply | None:
        """What is already known at a cursor; None if the model must be asked."""
        before, after = request.before, request.after
        for entry in self._entries:
            if request.by_hand and entry.answer.is_stand_in:
                continue
            if entry.wanted < request.n or not before.startswith(entry.before) or not same_after(entry.after, after):
                continue
            typed = before[len(entry.before) :]
            found = candidates(entry.answer, typed, is_fitted=entry.after == after)
            if found or not typed:
                return Reply(found, entry.answer)
        return None


def candidates(answer: Completion, typed: str = "", *, is_fitted: bool = False) -> list[Candidate]:
    """What is left of an answer's suggestions when `typed` was typed after the cursor.

    `is_fitted` is whether the text after the cursor is the one that they were fitted to.
    """
    return [
        Candidate(suggestion, answer, len(typed), is_fitted and not typed)
        for suggestion in answer.suggestions
        if suggestion.text.startswith(typed) and len(suggestion.text) > len(typed)
    ]


def same_after(old: str, new: str) -> bool:
    """Whether nothing changed after the cursor but for brackets and quotes that the editor closed by itself."""
    extra = len(new) - len(old)
    return 0 <= extra <= 4 and new.endswith(old) and all(character in _AUTO_CLOSED for character in new[:extra])
