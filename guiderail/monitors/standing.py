"""Where the texts of one file stand, from key to key: what was read of the last text is not read again."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from threading import Lock

from guiderail.monitors.lexing import Mark, Place, place
from guiderail.text.edit import common_prefix

FILES = 4  # whose last text is kept


class Standing:
    """Places in texts that begin alike: a text is read on from the last mark before where it differs.

    It may be used by several threads.

    Parameters
    ----------
    language
        One that has a syntax in `lexing`.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._text = ""
        self._marks = [Mark()]
        self._lock = Lock()

    def place(self, text: str) -> Place:
        """As `lexing.place`."""
        with self._lock:
            same = common_prefix(self._text, text)
            # No mark is at a text's end, where nothing has begun.
            known = max(1, bisect_right(self._marks, min(same, len(text) - 1), key=lambda mark: mark.at))
            marks = self._marks[:known]
            found = place(text, self._language, Place(mark=marks[-1]), marks)
            if same < len(text):  # else the cursor went back, and may go forth again
                self._text, self._marks = text, marks
            return found


@lru_cache(FILES)
def standing(file: Path | None, language: str) -> Standing:
    """What is kept of a file; of texts without one, of the last."""
    return Standing(language)
