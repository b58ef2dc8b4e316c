"""The half-typed word that must be written again, as the texts that begin with it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from guiderail.decoding.constraints.masks import full_mask, pack
from guiderail.remote.language import END

_BLANKS = b" \t"


class TypedFirst:
    """The texts that begin with what was typed and, where an indentation is as deep as it can get, go on with no blank.

    Parameters
    ----------
    typed
        What comes first.
    may_indent
        Whether a blank may come next.
    """

    def __init__(self, typed: bytes, *, may_indent: bool) -> None:
        self.typed = typed
        self._may_indent = may_indent

    def place(self, written: bytes) -> Literal["inside", "past", "lost"]:
        """See `LegalTexts.place`."""
        size = len(self.typed)
        if len(written) < size or (written == self.typed and not self._may_indent):
            return "inside" if self.typed.startswith(written) else "lost"
        is_right = written.startswith(self.typed) and (self._may_indent or written[size] not in _BLANKS)
        return "past" if is_right else "lost"

    def mask(self, written: bytes) -> np.ndarray:
        """See `LegalTexts.mask`."""
        if len(written) < len(self.typed):
            return pack([self.typed[len(written)]], END + 1)
        return full_mask(END + 1) & ~pack(list(_BLANKS), END + 1)
