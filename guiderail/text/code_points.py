"""Converts between offsets in UTF-8 bytes, in which syntax trees count, and code points."""

from bisect import bisect_left
from itertools import accumulate


class CodePoints:
    """Offsets of one text; linear in the text, once, and logarithmic for each offset. ASCII costs nothing."""

    def __init__(self, text: str) -> None:
        widths = (len(char.encode("utf-8", "replace")) for char in text)
        self._starts = None if text.isascii() else [0, *accumulate(widths)]

    def of_byte(self, offset: int) -> int:
        """The code point that begins at a byte."""
        return offset if self._starts is None else bisect_left(self._starts, offset)

    def to_byte(self, offset: int) -> int:
        """The first byte of a code point."""
        return offset if self._starts is None else self._starts[offset]
