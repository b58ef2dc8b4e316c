"""The result of a request: suggestions, and what led to them."""

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
    dropped
        What the model wrote and is not suggested, each with the verdict that says why.
    snippets
        What the model saw of other files.
    withheld
        How many suggestions were kept back because they held a token or key (`without_secrets`).
    is_stand_in
        Whether plain decoding replaced a method that runs the project's code (`CompletionRequest.by_hand`).
    is_whole
        Whether nothing ended before it was done; else a suggestion may be missing, cut short or not judged.
    """

    suggestions: Sequence[Suggestion]
    dropped: Sequence[Suggestion] = ()
    snippets: Sequence[Snippet] = ()
    withheld: int = 0
    is_stand_in: bool = False
    is_whole: bool = True

    @property
    def why_less(self) -> list[str]:
        """Why something that the model wrote is not suggested, in a few words each."""
        reasons = [str(one.verdict) for one in self.dropped]
        return list(dict.fromkeys([*reasons, *["it holds a token or key"] * bool(self.withheld)]))
