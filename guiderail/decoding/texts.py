"""The language that one of some texts comes next, of whatever characters, and then anything."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal

import numpy as np

from guiderail.decoding.masks import pack
from guiderail.decoding.vocabulary import Vocabulary


class Texts:
    """The texts that begin with one of some texts, as masks; immutable.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    texts
        The legal ones.
    """

    def __init__(self, vocabulary: Vocabulary, texts: Iterable[str]) -> None:
        self._vocabulary = vocabulary
        self._texts = sorted({text.encode() for text in texts if text})
        self._masks: dict[bytes, np.ndarray] = {}

    def place(self, written: bytes) -> Literal["inside", "behind", "lost"]:
        """Where a text stands: within one of the texts, after one, or where none leads."""
        if any(written.startswith(text) for text in self._texts):
            return "behind"
        start = bisect_left(self._texts, written)
        return "inside" if self._texts[start : start + 1] and self._texts[start].startswith(written) else "lost"

    def mask(self, written: bytes) -> np.ndarray:
        """The tokens that may stand after a text that is inside; packed int32 [ceil(vocabulary / 32)]."""
        if written not in self._masks:
            start, end = bisect_left(self._texts, written), bisect_left(self._texts, written + b"\xff")
            found = [self._vocabulary.compatible(text[len(written) :]) for text in self._texts[start:end]]
            ids = np.concatenate(found) if found else np.array([], dtype=np.int64)
            self._masks[written] = pack(ids.tolist(), len(self._vocabulary.token_bytes))
        return self._masks[written]
