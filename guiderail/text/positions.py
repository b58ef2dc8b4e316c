"""Converts the columns of the Language Server Protocol, in code units of an encoding, to code points and back.

A column inside a character is taken as the character's beginning, one after the line as its end. Lone surrogates,
which JavaScript clients can send, count as one UTF-16 unit and as three UTF-8 bytes.
"""

from typing import Literal, get_args

import numpy as np

Encoding = Literal["utf-8", "utf-16", "utf-32"]

WIDEST = 4  # code units of a character, in UTF-8
LAST_NARROW = 0xFFFF  # the last character of one UTF-16 code unit
_CONTINUATION = bytes(range(0x80, 0xC0))


def encoding_named(name: object) -> Encoding:
    """The encoding of a name that comes from outside; UTF-16, the protocol's default, for an unknown one."""
    return next((one for one in get_args(Encoding) if one == name), "utf-16")


def to_column(line: str, units: int, encoding: Encoding) -> int:
    """Code points before a column that is given in code units; at most the line's length."""
    units = min(max(units, 0), WIDEST * len(line))
    line = line[:units]  # no character is narrower than a unit: of a long line only the beginning is read
    if encoding == "utf-32" or line.isascii():
        return len(line)
    return _from_utf8(line, units) if encoding == "utf-8" else _from_utf16(line, units)


def to_units(line: str, column: int, encoding: Encoding) -> int:
    """Code units before a column that is given in code points."""
    before = line[:column]
    if encoding == "utf-32" or before.isascii():
        return len(before)
    if encoding == "utf-8":
        return len(before.encode("utf-8", "surrogatepass"))
    return int(_utf16_widths(before).sum())


def _from_utf8(line: str, units: int) -> int:
    data = line.encode("utf-8", "surrogatepass")
    begun = len(data[:units].translate(None, _CONTINUATION))
    inside = units < len(data) and data[units] in _CONTINUATION
    return begun - inside


def _from_utf16(line: str, units: int) -> int:
    return int(np.searchsorted(_utf16_widths(line).cumsum(), units, side="right"))


def _utf16_widths(text: str) -> "np.ndarray":
    """Code units of each character, int64."""
    return 1 + (code_points(text) > LAST_NARROW).astype(np.int64)


def code_points(text: str) -> "np.ndarray":
    """Numbers of a text's characters, uint32, lone surrogates among them: to encode those takes 200 times as long."""
    return np.array([text], dtype=f"U{max(1, len(text))}").view(np.uint32)[: len(text)]
