"""The vocabulary ordered by bytes, to find the tokens that fit a required text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np


class Vocabulary:
    """Ids sorted by their bytes.

    Parameters
    ----------
    token_bytes
        The exact bytes of every id; ids without bytes (special tokens) are never found.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        ranked = sorted((b, i) for i, b in enumerate(token_bytes) if b)
        self._bytes = [b for b, _ in ranked]
        self._ids = np.array([i for _, i in ranked], dtype=np.int64)

    def compatible(self, required: bytes) -> np.ndarray:
        """Ids whose bytes are a prefix of `required`, or begin with it: exactly those that can lead to it."""
        found = [self._range(required, extend=True)]
        found += [self._range(required[:n], extend=False) for n in range(1, len(required))]
        return np.concatenate(found)

    def _range(self, prefix: bytes, *, extend: bool) -> np.ndarray:
        """Ids whose bytes equal `prefix`, or with `extend` begin with it."""
        start = bisect_left(self._bytes, prefix)
        end = start
        if extend:
            # The first string that sorts behind every string with this prefix.
            stem = prefix.rstrip(b"\xff")
            after = stem[:-1] + bytes([stem[-1] + 1]) if stem else None
            end = len(self._bytes) if after is None else bisect_left(self._bytes, after)
        else:
            while end < len(self._bytes) and self._bytes[end] == prefix:
                end += 1
        return self._ids[start:end]
