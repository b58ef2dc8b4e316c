"""The answer to a request: suggestions, and what led to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.prompt.snippet import Snippet


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a request.

    Parameters
    ----------
    suggestions
        The best one first.
    snippets
        What the model saw of other files.
    withheld
        How many suggestions were kept back because they held a token or key (`without_secrets`).
    is_stand_in
        Whether plain decoding replaced a method that runs the project's code (`CompletionRequest.by_hand`).
    """

    suggestions: Sequence[Suggestion]
    snippets: Sequence[Snippet] = ()
    withheld: int = 0
    is_stand_in: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether no suggestion was cut short by a cancel."""
        return all(suggestion.finish != "cancelled" for suggestion in self.suggestions)
