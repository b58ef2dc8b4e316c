"""Columns of the protocol and columns of ours: code units in the negotiated encoding, and code points.

A column inside a character is taken as the character's beginning, one behind the line as its end. Lone surrogates,
which JavaScript clients can send, count as one UTF-16 unit and as three UTF-8 bytes.
"""

import re
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_CONTINUATION = bytes(range(0x80, 0xC0))


def to_column(line: str, units: int, encoding: Encoding) -> int:
    """Code points in front of a column that is given in code units; at most the line's length."""
    if encoding == "utf-32" or line.isascii():
        return min(units, len(line))
    return _from_utf8(line, units) if encoding == "utf-8" else _from_utf16(line, units)


def to_units(line: str, column: int, encoding: Encoding) -> int:
    """Code units in front of a column that is given in code points."""
    before = line[:column]
    if encoding == "utf-32" or before.isascii():
        return len(before)
    if encoding == "utf-8":
        return len(before.encode("utf-8", "surrogatepass"))
    return len(before) + sum(1 for _ in _ASTRAL.finditer(before))


def _from_utf8(line: str, units: int) -> int:
    data = line.encode("utf-8", "surrogatepass")
    begun = len(data[:units].translate(None, _CONTINUATION))
    inside = units < len(data) and data[units] in _CONTINUATION
    return begun - inside


def _from_utf16(line: str, units: int) -> int:
    pairs = 0
    for match in _ASTRAL.finditer(line):
        unit = match.start() + pairs
        if units <= unit + 1:  # in front of this pair, or inside it
            return min(units - pairs, match.start())
        pairs += 1
    return min(units - pairs, len(line))
