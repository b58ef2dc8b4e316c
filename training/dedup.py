"""Exact and near duplicates, so that the model does not read one file five times.

Near duplicates are found by MinHash over line shingles with banded locality-sensitive hashing (Broder, 1997;
Lee et al., "Deduplicating training data makes language models better", 2022).  Lines are the shingles because
vendored copies and forks of source files share lines, and because one file then costs about a millisecond.
"""

from __future__ import annotations

import hashlib
import zlib

import numpy as np

BANDS, ROWS = 16, 4
SHINGLE = 2
THRESHOLD = 0.6
_PRIME = np.uint64((1 << 31) - 1)
_RNG = np.random.default_rng(20_260_101)
_A = _RNG.integers(1, 2**31 - 1, BANDS * ROWS, dtype=np.uint64)
_B = _RNG.integers(0, 2**31 - 1, BANDS * ROWS, dtype=np.uint64)


def shingles(text: str) -> np.ndarray:
    """Hashes of neighbouring pairs of stripped, non-empty lines."""
    lines = [line for raw in text.split("\n") if (line := raw.strip())]
    grams = {"\n".join(lines[i : i + SHINGLE]) for i in range(max(1, len(lines) - SHINGLE + 1))}
    return np.fromiter((zlib.crc32(gram.encode()) for gram in grams), dtype=np.uint64)


def signature(text: str) -> np.ndarray:
    """The MinHash signature, (BANDS * ROWS,) of uint32."""
    hashes = shingles(text)[:, None] % _PRIME
    return ((hashes * _A + _B) % _PRIME).min(axis=0).astype(np.uint32)


class Deduplicator:
    """Remembers what it has seen; the first copy wins."""

    def __init__(self) -> None:
        self._exact: set[bytes] = set()
        self._bands: dict[tuple[int, bytes], int] = {}
        self._signatures: list[np.ndarray] = []

    def is_new(self, text: str) -> bool:
        """Whether no earlier text equals or nearly equals this one; remembers it if so."""
        exact = hashlib.blake2b("".join(text.split()).encode(), digest_size=16).digest()
        if exact in self._exact:
            return False
        self._exact.add(exact)
        mark = signature(text)
        keys = [(band, mark[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
        for key in keys:
            other = self._bands.get(key)
            if other is not None and np.mean(self._signatures[other] == mark) >= THRESHOLD:
                return False
        self._signatures.append(mark)
        for key in keys:
            self._bands.setdefault(key, len(self._signatures) - 1)
        return True
