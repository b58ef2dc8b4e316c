"""A JSON reader for megabytes: it reads piece by piece, so that other threads may run meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

LONG = 500_000  # characters; fewer are read in a hundredth of a second
DEPTH = 3  # to which lists and objects are taken apart: answers hold long lists of short items
_BLANKS = re.compile(r"[ \t\n\r]*+")

Scan = Callable[[str, int], tuple[Any, int]]


def read_json(text: str) -> Any:
    """What a text says, with None for NaN and infinity, which are no JSON.

    Raises
    ------
    ValueError, RecursionError
        It is no JSON.
    """
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    if len(text) <= LONG:
        return decoder.decode(text)
    value, end = _value(text, _skip(text, 0), decoder.raw_decode, DEPTH)
    if _skip(text, end) != len(text):
        raise ValueError("more than one value")
    return value


def _value(text: str, at: int, scan: Scan, depth: int) -> tuple[Any, int]:
    """The value that begins at an offset, and where it ends."""
    first = text[at : at + 1]
    if depth and first == "[":
        return _list(text, at + 1, scan, depth - 1)
    return _object(text, at + 1, scan, depth - 1) if depth and first == "{" else scan(text, at)


def _list(text: str, at: int, scan: Scan, depth: int) -> tuple[list[Any], int]:
    made: list[Any] = []
    at = _skip(text, at)
    if text.startswith("]", at):
        return made, at + 1
    while True:
        value, at = _value(text, at, scan, depth)
        made.append(value)
        at, goes_on = _after(text, at, "]")
        if not goes_on:
            return made, at


def _object(text: str, at: int, scan: Scan, depth: int) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    at = _skip(text, at)
    if text.startswith("}", at):
        return made, at + 1
    while True:
        if not text.startswith('"', at):
            raise ValueError("an object without a name")
        name, at = scan(text, at)
        at = _skip(text, at)
        if not text.startswith(":", at):
            raise ValueError("a name without a value")
        made[name], at = _value(text, _skip(text, at + 1), scan, depth)
        at, goes_on = _after(text, at, "}")
        if not goes_on:
            return made, at


def _after(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Where to read on after a value, and whether another one follows."""
    at = _skip(text, at)
    if text.startswith(closing, at):
        return at + 1, False
    if not text.startswith(",", at):
        raise ValueError("a list that does not go on")
    return _skip(text, at + 1), True


def _skip(text: str, at: int) -> int:
    if text[at : at + 1] > " ":
        return at
    found = _BLANKS.match(text, at)
    return found.end() if found else at
