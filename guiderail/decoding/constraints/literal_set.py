"""Sets of literal texts, of any characters, one of which must come next."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal

import numpy as np

from guiderail.decoding.constraints.masks import pack
from guiderail.decoding.constraints.vocabulary import Vocabulary


class LiteralSet:
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

    def place(self, written: bytes) -> Literal["inside", "past", "lost"]:
        """Whether a text is inside one of the texts, past one, or leads to none of them (lost)."""
        if any(written.startswith(text) for text in self._texts):
            return "past"
        start = bisect_left(self._texts, written)
        return "inside" if self._texts[start : start + 1] and self._texts[start].startswith(written) else "lost"

    def mask(self, written: bytes) -> np.ndarray:
        """The tokens that may follow a text that is inside; packed int32 [ceil(vocabulary / 32)]."""
        if written not in self._masks:
            start, end = bisect_left(self._texts, written), bisect_left(self._texts, written + b"\xff")
            found = [self._vocabulary.compatible(text[len(written) :]) for text in self._texts[start:end]]
            ids = np.concatenate(found) if found else np.array([], dtype=np.int64)
            self._masks[written] = pack(ids.tolist(), len(self._vocabulary.token_bytes))
        return self._masks[written]
