"""Texts that a regular expression matches, drawn at random: the repository itself holds no token that looks real."""

import random
import re
import string
from re import _constants as ops  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

_PRINTABLE = string.ascii_letters + string.digits + "_-"
_CATEGORIES = {
    ops.CATEGORY_DIGIT: string.digits,
    ops.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_NOT_SPACE: string.ascii_letters + string.digits,
}


def example(pattern: str, rng: random.Random) -> str:
    """A text that `pattern` matches; assertions are left to chance, optional parts as short as they may be."""
    return _drawn(parser.parse(pattern, re.ASCII), rng)


def _drawn(parsed: Any, rng: random.Random) -> str:
    return "".join(_one(op, value, rng) for op, value in parsed)


def _one(op: Any, value: Any, rng: random.Random) -> str:
    if op is ops.LITERAL:
        return chr(value)
    if op is ops.IN:
        return rng.choice(_members(value))
    if op in {ops.MAX_REPEAT, ops.MIN_REPEAT}:
        least, _, inner = value
        return "".join(_drawn(inner, rng) for _ in range(least))
    if op is ops.SUBPATTERN:
        return _drawn(value[3], rng)
    if op is ops.BRANCH:
        return _drawn(rng.choice(value[1]), rng)
    assert op in {ops.AT, ops.ASSERT, ops.ASSERT_NOT, ops.ANY, ops.NOT_LITERAL}, op
    return {ops.ANY: ".", ops.NOT_LITERAL: rng.choice(string.ascii_letters)}.get(op, "")


def _members(parts: Any) -> str:
    negated = bool(parts) and parts[0][0] is ops.NEGATE
    found = ""
    for op, value in parts:
        if op is ops.LITERAL:
            found += chr(value)
        elif op is ops.RANGE:
            found += "".join(map(chr, range(value[0], value[1] + 1)))
        elif op is ops.CATEGORY:
            found += _CATEGORIES[value]
    return "".join(one for one in _PRINTABLE if one not in found) if negated else found
