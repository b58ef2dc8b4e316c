"""Which of many words a text has, without looking for each: first its four-character runs, then the words left."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_RUN = 4  # characters
_BITS = 5  # of a character that count
_SMALL = 500  # bytes; in a text of less, looking for each word is faster
# Letters are apart; the rest shares what is left: words are looked for themselves where their runs are there.
_CODES = np.array([one - 97 if 97 <= one < 123 else 26 + one % 6 for one in range(256)], np.uint16)


def _runs(data: bytes) -> NDArray[np.uint32]:
    codes = _CODES[np.frombuffer(data, np.uint8)]
    pairs = ((codes[:-1] << np.uint16(_BITS)) | codes[1:]).astype(np.uint32)
    return (pairs[:-2] << np.uint32(2 * _BITS)) | pairs[2:]


class Keywords:
    """Words to look for.

    Parameters
    ----------
    words
        ASCII, lower case.
    """

    def __init__(self, words: Iterable[str]) -> None:
        ordered = sorted(set(words))
        self._short = [word for word in ordered if len(word) < _RUN]
        self._long = [word for word in ordered if len(word) >= _RUN]
        runs = [_runs(word.encode()) for word in self._long]
        self._runs = np.concatenate(runs)
        self._begins = np.cumsum([0, *map(len, runs[:-1])])

    def of(self, lower: str) -> list[str]:
        """Those in a text that is in lower case."""
        found = [word for word in self._short if word in lower]
        data = lower.encode("utf-8", "replace")
        if len(data) < _SMALL:
            return found + [word for word in self._long if word in lower]
        seen = np.zeros(1 << (_BITS * _RUN), np.bool_)
        seen[_runs(data)] = True
        likely = np.flatnonzero(np.logical_and.reduceat(seen[self._runs], self._begins))
        return found + [self._long[number] for number in likely if self._long[number] in lower]
