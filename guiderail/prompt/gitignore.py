"""The patterns of one .gitignore as git reads them, matched in time linear in pattern and path.

Regular expressions made of such patterns backtrack without end over ``a*a*a*a*b``. Here a star is never tried twice: in
a glob the leftmost match of what is between two stars is always right, in a name as well as among folders.

Two quirks of git are not followed. In ``a**/b`` it leaves out the literal beginning first, and then takes the stars for
those between slashes, so that ``ab`` and ``ax/y/b`` fit; here they are one star, as git's documentation says. And what
it makes of a slash after a backslash differs from case to case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

MOST_LINES = 20_000  # of one file; what has more is no list that a person keeps
LONGEST = 4096  # characters of a line, as of a path
MOST_WILD = 10_000  # characters of all patterns with stars, question marks or brackets, which are tried one by one

_WILD = re.compile(r"[*?\[\\]")
_ALL = frozenset(range(256)) - {ord("/")}
_ONE = [frozenset((byte,)) for byte in range(256)]
_STARS = re.compile(rb"\*+")
_STAR, _DEEP, _SLASH = -1, -2, -3  # tokens beside sets of bytes; the second is ``**`` between slashes
_CLASSES = {
    "alnum": bytes.isalnum, "alpha": bytes.isalpha, "digit": bytes.isdigit, "lower": bytes.islower,
    "upper": bytes.isupper, "blank": lambda one: one in b" \t", "space": lambda one: one in b" \t\n\v\f\r",
    "cntrl": lambda one: one < b" " or one == b"\x7f", "graph": lambda one: b"!" <= one <= b"~",
    "print": lambda one: b" " <= one <= b"~", "xdigit": lambda one: one in b"0123456789abcdefABCDEF",
    "punct": lambda one: b"!" <= one <= b"~" and not one.isalnum(),
}  # fmt: skip

Token = int | frozenset[int]


class _MalformedError(ValueError):
    """A pattern that matches nothing."""


class PatternLimitError(ValueError):
    """There are more patterns than can be tried for each file."""


@dataclass(frozen=True)
class _Name:
    """The pattern of one name in a path."""

    tokens: tuple[Token, ...]

    @cached_property
    def literal(self) -> bytes | None:
        """The only name that fits, if there is only one."""
        return self._around_star[0] if self._around_star and len(self._around_star) == 1 else None

    @cached_property
    def _around_star(self) -> list[bytes] | None:
        """The parts before the only star and after it, or all if there is none; None for other patterns."""
        parts = [b""]
        for token in self.tokens:
            if isinstance(token, int):
                parts.append(b"")
            elif len(token) == 1:
                parts[-1] += bytes(token)
            else:
                return None
        return parts if len(parts) <= 2 else None

    @cached_property
    def _compiled(self) -> re.Pattern[bytes]:
        fixed = [b""]
        for token in self.tokens:
            if isinstance(token, frozenset):
                fixed[-1] += _class(token)
            elif fixed[-1] or len(fixed) == 1:  # of several stars one is enough
                fixed.append(b"")
        first, *others = fixed
        inner = b"".join(b"(?>.*?%b)" % part for part in others[:-1])
        last = b".*" + others[-1] if others else b""
        return re.compile(b"(?s:%b%b%b)\\Z" % (first, inner, last))

    def fits(self, name: bytes) -> bool:
        """Whether a name is one of those."""
        if self._around_star is None:
            return self._compiled.match(name) is not None
        begin, *end = self._around_star
        if not end:
            return name == begin
        return len(name) >= len(begin) + len(end[0]) and name.startswith(begin) and name.endswith(end[0])


class _Literal(NamedTuple):
    """A line without wildcards; there may be 20,000 of them, so it is small and soon made.

    Parameters
    ----------
    names
        The names of the path that fits, or the last of them alone.
    anywhere, folders_only, excludes
        As of a `_Pattern`.
    """

    names: tuple[bytes, ...]
    anywhere: bool
    folders_only: bool
    excludes: bool


@dataclass(frozen=True)
class _Pattern:
    """One line.

    Parameters
    ----------
    names
        What fits the names of a path in turn; None for any number of folders.
    anywhere
        Whether the last name of a path counts alone.
    folders_only, excludes
        Whether it is about folders only, and whether it hides what fits or shows it again.
    """

    names: tuple[_Name | None, ...]
    anywhere: bool
    folders_only: bool
    excludes: bool

    @property
    def literal(self) -> _Literal | None:
        """The line, if only one path or name fits: its wildcards are all escaped, or stand for one character."""
        names = tuple(name.literal for name in self.names if name)
        if len(names) < len(self.names) or None in names:
            return None
        return _Literal(tuple(filter(None, names)), self.anywhere, self.folders_only, self.excludes)

    def fits(self, path: Sequence[bytes], *, is_folder: bool) -> bool:
        """Whether a path, given as its names, fits."""
        if self.folders_only and not is_folder:
            return False
        if self.anywhere:
            only = self.names[0]
            return only is None or only.fits(path[-1])
        return _fits(self.names, path)


def _fits(names: Sequence[_Name | None], path: Sequence[bytes]) -> bool:
    """Whether all names fit, each ``**`` meaning any number of folders, at the end for at least one name."""
    if names[-1] is None:
        return bool(path) and _fits((*names[:-1], *_ANY), path)
    at = position = 0
    retry, retry_position = -1, 0
    while position < len(path):
        here = names[at] if at < len(names) else False
        if here is None:
            retry, retry_position = at, position
            at += 1
        elif here and here.fits(path[position]):
            at, position = at + 1, position + 1
        elif retry >= 0:
            retry_position += 1
            at, position = retry + 1, retry_position
        else:
            return False
    return all(name is None for name in names[at:])


_ANY = (None, _Name((_STAR,)))


class Patterns:
    """All lines of a file.

    Parameters
    ----------
    text
        The file.

    Attributes
    ----------
    lines, wild, tries
        How much it says: its lines, the characters of its patterns with wildcards, and their number.

    Raises
    ------
    PatternLimitError
        If there are more than can be tried for each file of a project.
    """

    def __init__(self, text: str) -> None:
        self.lines = text.count("\n")
        if self.lines > MOST_LINES:
            raise PatternLimitError(f"more than {MOST_LINES} lines")
        # By path, or by name alone: the line's number, whether it is about folders only, and whether it hides.
        self._literal: dict[tuple[bytes, ...], list[tuple[int, bool, bool]]] = {}
        self._wild: list[tuple[int, _Pattern]] = []
        self.wild = 0
        for number, (pattern, length) in enumerate(_patterns(text.split("\n"))):
            if isinstance(pattern, _Literal):
                key = (b"", *pattern.names) if pattern.anywhere else pattern.names
                self._literal.setdefault(key, []).append((number, pattern.folders_only, pattern.excludes))
                continue
            self._wild.append((number, pattern))
            self.wild += length
            if self.wild > MOST_WILD:
                raise PatternLimitError(f"patterns with wildcards of more than {MOST_WILD} characters")
        self._wild.reverse()
        self.tries = len(self._wild)

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether the last line that is about a path hides it; None if none is. The folders above are not looked at."""
        names = path.encode("utf-8", "surrogateescape").split(b"/")
        found, excludes = -1, None
        for key in (tuple(names), (b"", names[-1])):
            for number, folders_only, hides in self._literal.get(key, ()):
                if number > found and (is_folder or not folders_only):
                    found, excludes = number, hides
        for number, pattern in self._wild:
            if number < found:
                break
            if pattern.fits(names, is_folder=is_folder):
                return pattern.excludes
        return excludes

    def hides(self, path: str) -> bool:
        """Whether a file is hidden, for itself or for a folder above it."""
        parts = path.split("/")
        above = any(self.verdict("/".join(parts[:end]), is_folder=True) for end in range(1, len(parts)))
        return above or bool(self.verdict(path, is_folder=False))


def _patterns(lines: Iterable[str]) -> Iterator[tuple[_Pattern | _Literal, int]]:
    """The patterns of lines, each with its length; what git discards is left out."""
    for line in lines:
        if len(line) > LONGEST:
            raise PatternLimitError(f"a line of more than {LONGEST} characters")
        text = _trimmed(line.removesuffix("\r"))
        excludes = not text.startswith("!")
        text = text if excludes else text[1:]
        if not text or (excludes and text.startswith("#")):
            continue
        folders_only = text.endswith("/")
        text = text.removesuffix("/")
        anywhere = "/" not in text
        if _WILD.search(text) is None:
            parts = tuple(text.removeprefix("/").encode("utf-8", "surrogateescape").split(b"/"))
            if all(parts):  # a folder without a name fits nothing
                yield _Literal(parts, anywhere, folders_only, excludes), len(text)
            continue
        try:
            names = tuple(_names(text.removeprefix("/")))
        except _MalformedError:
            continue
        if names:
            pattern = _Pattern(names, anywhere, folders_only, excludes)
            yield pattern.literal or pattern, len(text)


def _trimmed(line: str) -> str:
    """A line without blanks at its end, but for those after a backslash."""
    bare = line.rstrip(" ")
    escapes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if escapes % 2 and bare != line else bare


def _names(text: str) -> Iterator[_Name | None]:
    """The patterns of the names in a path; None for any number of folders.

    Raises
    ------
    _MalformedError
        If nothing can fit.
    """
    name: list[Token] = []
    for token in (*_tokens(text.encode("utf-8", "surrogateescape")), _SLASH):
        if token != _SLASH:
            name.append(token)
        elif not name:
            raise _MalformedError
        else:
            yield None if name == [_DEEP] else _Name(tuple(name))
            name = []


def _tokens(data: bytes) -> Iterator[Token]:
    at = 0
    while at < len(data):
        byte = data[at : at + 1]
        if byte == b"*":
            end = _STARS.match(data, at).end()  # pyright: ignore[reportOptionalMemberAccess]  # there is one
            begins, ends = at == 0 or data[at - 1] == ord("/"), data[end : end + 2]
            apart = begins and (ends[:1] in (b"", b"/") or ends == b"\\/")
            yield _DEEP if end - at > 1 and apart else _STAR
            at = end
        elif byte == b"?":
            yield _ALL
            at += 1
        elif byte == b"[":
            members, at = _bracket(data, at + 1)
            yield members
        else:
            at += byte == b"\\"
            if at >= len(data):
                raise _MalformedError
            yield _SLASH if data[at] == ord("/") else _ONE[data[at]]
            at += 1


def _bracket(data: bytes, at: int) -> tuple[frozenset[int], int]:
    """The bytes of a class in brackets, of which `at` is after the first, and where the text goes on."""
    negated = data[at : at + 1] in (b"!", b"^")
    at += negated
    members: set[int] = set()
    before = 0  # the byte that a range may begin with
    first = True
    while first or data[at : at + 1] != b"]":
        first = False
        if data[at : at + 1] == b"-" and before and data[at + 1 : at + 2] not in (b"", b"]"):
            last, at = _escaped(data, at + 1)
            members.update(range(before, last + 1))
            before = 0
        elif data[at : at + 2] == b"[:" and (named := _class_named(data, at + 2)) is not None:
            members |= named[0]
            before, at = 0, named[1]
        else:
            before, at = _escaped(data, at)
            members.add(before)
    return frozenset(_ALL - members if negated else _ALL & members), at + 1


def _escaped(data: bytes, at: int) -> tuple[int, int]:
    """The byte at an index, perhaps after a backslash, and the place after it."""
    at += data[at : at + 1] == b"\\"
    if at >= len(data):
        raise _MalformedError
    return data[at], at + 1


def _class_named(data: bytes, at: int) -> tuple[set[int], int] | None:
    """The bytes of a class such as ``[:alpha:]``, of which `at` is after the colon; None if it is no such."""
    end = data.find(b"]", at)
    if end < 0:
        raise _MalformedError
    if end == at or data[end - 1 : end] != b":":
        return None
    holds = _CLASSES.get(data[at : end - 1].decode(errors="replace"))
    if holds is None:
        raise _MalformedError
    return {one for one in range(1, 128) if holds(bytes((one,)))}, end + 1


def _class(members: frozenset[int]) -> bytes:
    """A set of bytes as a regular expression."""
    if members == _ALL:
        return b"[^/]"
    return b"[%b]" % b"".join(b"\\x%02x" % one for one in sorted(members)) if members else b"(?!)"
