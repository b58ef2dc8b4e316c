"""Caches lexer states between versions of a file: only what changed is read again."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from threading import Lock

from guiderail.monitors.lex_state import Checkpoint, LexState, lex_state
from guiderail.text.edit import common_prefix
from guiderail.text.syntax import SlowTextError

FILES = 4  # whose last text is kept
MOST_READ = 25_000  # brackets, strings and line ends that are read on the event loop: some 50 ms
WAIT_S = 0.05  # for another thread that reads the same file


class LexCache:
    """Lexer states of texts that begin alike: each is read from the last checkpoint before its first difference.

    It may be used by several threads.

    Parameters
    ----------
    language
        One that has a lexicon.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._text = ""
        self._checkpoints = [Checkpoint()]
        self._lock = Lock()

    def state(self, text: str) -> LexState:
        """The same as `lex_state`."""
        with self._lock:
            return self._state(text)

    def state_soon(self, text: str) -> LexState | None:
        """The same; None if that would take long: the next time less is left to read, unless it is all one line."""
        if not self._lock.acquire(timeout=WAIT_S):
            return None
        try:
            return self._state(text, MOST_READ)
        except SlowTextError:
            return None
        finally:
            self._lock.release()

    def _state(self, text: str, most: int | None = None) -> LexState:
        same = common_prefix(self._text, text)
        # None is at a text's end, where nothing has begun.
        known = max(1, bisect_right(self._checkpoints, min(same, len(text) - 1), key=lambda one: one.at))
        checkpoints = self._checkpoints[:known]
        try:
            return lex_state(text, self._language, LexState(checkpoint=checkpoints[-1]), checkpoints, most)
        finally:
            if same < len(text):  # else the cursor went back, and may go forth again
                self._text = text
            if same < len(text) or len(checkpoints) > len(self._checkpoints):
                self._checkpoints = checkpoints


@lru_cache(FILES)
def lex_cache(file: Path | None, language: str) -> LexCache:
    """The cache of a file; texts without a file share one."""
    return LexCache(language)
