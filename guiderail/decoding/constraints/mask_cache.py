"""Caches the tokens of each name: lists of names share most of their names from one dot to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from threading import Lock

import numpy as np

MOST = 100_000  # names that are kept; then all are forgotten
Lists = tuple[np.ndarray, np.ndarray]  # ids of all lists end to end, and how many are of each (int64)


class MaskCache:
    """Caches what each name adds to a mask.

    A mask of names that are known costs looking them up, joining their lists and setting the bits: a dozen operations
    on arrays, however many names there are. Safe to use from several threads.

    Parameters
    ----------
    find
        The lists of new names.
    size
        Ids in the vocabulary.
    """

    def __init__(self, find: Callable[[Sequence[str]], Lists], size: int) -> None:
        self._find = find
        self._size = size
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[str, int] = {}
        self._used = 0
        self._ids = np.zeros(1 << 12, dtype=np.int32)
        self._ends = np.zeros(1 << 10, dtype=np.int64)

    def mask(self, names: Sequence[str]) -> np.ndarray:
        """The mask of all that these names add; packed int32 [ceil(size / 32)]."""
        flags = np.zeros(-(-self._size // 32) * 32, dtype=bool)
        if names:
            with self._lock:
                rows = np.array(self._known(names), dtype=np.int64, ndmin=1)
                ends, begins = self._ends[rows], self._ends[rows - 1]
                begins[rows == 0] = 0
                flags[self._ids[ranges(begins, ends - begins)]] = True
        return np.packbits(flags, bitorder="little").view(np.int32)

    def _known(self, names: Sequence[str]) -> tuple[int, ...] | int:
        try:
            return itemgetter(*names)(self._rows)
        except KeyError:
            if len(self._rows) > MOST:
                self._forget()
            self._learn([name for name in dict.fromkeys(names) if name not in self._rows])
        return itemgetter(*names)(self._rows)

    def _learn(self, names: Sequence[str]) -> None:
        ids, counts = self._find(names)
        first = len(self._rows)
        self._ids = _with_room(self._ids, self._used + len(ids))
        self._ends = _with_room(self._ends, first + len(names))
        self._ids[self._used : self._used + len(ids)] = ids
        self._ends[first : first + len(names)] = self._used + np.cumsum(counts)
        self._used += len(ids)
        self._rows.update(zip(names, range(first, first + len(names)), strict=True))


def _with_room(array: np.ndarray, count: int) -> np.ndarray:
    """The array with room for `count` items: itself, or a copy grown by doubling."""
    if count <= len(array):
        return array
    grown = np.zeros(max(count, 2 * len(array)), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def ranges(begins: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The ranges `begins[i], begins[i] + 1, ...` of `counts[i]` numbers each, concatenated (int64)."""
    ends = np.cumsum(counts)
    return np.repeat(begins - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)
