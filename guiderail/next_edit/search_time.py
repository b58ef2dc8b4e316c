"""The time that a search for what follows from a change may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from guiderail.text.syntax import SlowTextError

SEARCH_S = 20.0  # of this thread for looking into the trees, for each change; 20,000 uses in one file take two

FILE_S = 1.0  # more of it for each further file


class InterruptedSearchError(Exception):
    """The search was cancelled, or the analyser does not answer."""


class TooManyUsesError(Exception):
    """A name has more uses than an analyser may tell."""


class SearchTime:
    """Called at each look into a tree: no text takes a search longer than `SEARCH_S`, no file longer than `FILE_S`.

    Parameters
    ----------
    cancelled
        Whether nobody waits for the answer any more.
    """

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._until = math.inf

    def begin(self) -> None:
        """Begin to look into trees."""
        self._until = time.thread_time() + SEARCH_S

    def extend(self) -> None:
        """Begin to look into a further file."""
        self._until += FILE_S

    def check(self) -> None:
        """Go on, or raise.

        Raises
        ------
        InterruptedSearchError
            Nobody waits any more.
        SlowTextError
            The time is used up.
        """
        if self._cancelled():
            raise InterruptedSearchError("cancelled")
        if time.thread_time() > self._until:
            raise SlowTextError
