"""Fitting a suggestion into the cursor's line.

A model sees the text after the cursor, and often writes it again: `print(|)` is continued by `x)`. What the line would
then have twice is left out, or is replaced.
"""

import re
from dataclasses import dataclass

_COMMENT = re.compile(r"\s(?:#|//)")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CLOSERS = {opener: closer for closer, opener in _PAIRS.items()}
_OPENERS = frozenset(_CLOSERS)
_QUOTES = frozenset("\"'`")
_OPENING = (":", *_OPENERS)
_PARTING = frozenset(":,;")


@dataclass(frozen=True, slots=True)
class FittedText:
    """What to insert at the cursor.

    Parameters
    ----------
    text
        The text.
    covers
        Characters after the cursor, on its line, that the text replaces.
    """

    text: str
    covers: int = 0


def fit_text(text: str, before: str, after: str) -> FittedText | None:
    """Fit a suggestion; None if nothing is left of it, or if it only repeats what follows.

    Parameters
    ----------
    text
        What the model wrote.
    before
        The cursor's line up to the cursor.
    after
        All text after the cursor.
    """
    rest = after.split("\n", 1)[0].rstrip("\r")
    if not text.strip():
        return None
    if _follows(text.strip(), rest) if rest.strip() else _is_next(text, before, after):
        return None
    closers = _unmatched(text, before)
    for index in closers:
        cut = _repeated_from(text, index, rest)
        if cut is not None:
            return _nonblank(text[:cut])
    covers = _covered(text, closers, rest)
    if "\n" not in text and rest and not covers:
        text = _without_overlap(text, rest)
    return _nonblank(text, covers)


def at_depth(text: str, before: str, above: str) -> str:
    """The text at the cursor's indentation: after an indented cursor, further leading blanks are left out.

    All its lines move together. Under a line that opens a block, and is indented as deep as the cursor or deeper, the
    blanks stay: there the indentation is not finished.

    Parameters
    ----------
    text
        What the model wrote.
    before
        The cursor's line up to the cursor.
    above
        The last line above it that is not blank.
    """
    first = text.split("\n", 1)[0]
    more = first[: len(first) - len(first.lstrip(" \t"))]
    depth = len(above) - len(above.lstrip())
    opens = any(line.rstrip().endswith(_OPENING) for line in (above, _COMMENT.split(above)[0]))
    unfinished = opens and depth >= len(before)
    if not before.isspace() or not more or not first.strip() or unfinished:
        return text
    return text[len(more) :].replace(f"\n{before}{more}", f"\n{before}")


def _is_next(text: str, before: str, after: str) -> bool:
    """Whether a text at the end of its line only writes the next lines again, or closes what they close.

    Lines count as a whole, with their indentation; blank ones do not count.
    """
    following = [line.rstrip() for line in after.split("\n")[1:] if line.strip()]
    first, broken, more = text.partition("\n")
    line = more if broken and not first.strip() else before + text
    wanted = [part.rstrip() for part in line.split("\n") if part.strip()]
    closes = bool(before.strip()) and set(text.strip()) <= _PAIRS.keys()
    return following[: len(wanted)] == wanted or (closes and _follows(text.strip(), after))


def _follows(text: str, after: str) -> bool:
    """Whether the text after the cursor begins with this text, and with no longer word."""
    after = after.lstrip()
    following = after[len(text) : len(text) + 1]
    inside = text[-1:].isidentifier() and f"_{following}".isidentifier() and following != ""
    return bool(text) and after.startswith(text) and not inside


def _repeated_from(text: str, index: int, rest: str) -> int | None:
    """Where the end of a text begins that the rest of the line repeats; at `index` it closes what was opened before.

    The rest may begin with a pair of brackets before that, which the text has or lacks: `f.|())` is continued by
    `read())` and by `name) + 1`.
    """
    tail, pair = text[index:].rstrip(), _pair(rest)
    if rest.startswith(tail):
        return index
    if not pair or not rest[len(pair) :].startswith(tail):
        return None
    return index - len(pair) if text[:index].endswith(pair) else index


def _pair(rest: str) -> str:
    """The bracket that a text begins with, up to the one that closes it; empty if it begins with none."""
    if rest[:1] not in _OPENERS:
        return ""
    ends = _unmatched(rest[1:], "")
    return rest[: ends[0] + 2] if ends and rest[ends[0] + 1] == _CLOSERS[rest[0]] else ""


def _nonblank(text: str, covers: int = 0) -> FittedText | None:
    return FittedText(text, covers) if text.strip() else None


def _covered(text: str, closers: list[int], rest: str) -> int:
    """How many of the brackets and quotes after the cursor the text closes itself."""
    covers = 0
    for index in closers:
        if covers < len(rest) and rest[covers] == text[index]:
            covers += 1
    return covers


def _without_overlap(text: str, rest: str) -> str:
    """The text without an end that is the rest of the line, if that is more than one character, or parts two things."""
    rest = rest.rstrip()
    return text[: -len(rest)] if (len(rest) > 1 or rest in _PARTING) and text.endswith(rest) else text


def _unmatched(text: str, before: str) -> list[int]:
    """Where the text closes a bracket or a quote that was opened before it."""
    opened = quote = _open_quote(before)  # `opened` is the quote that the text did not open itself
    depth: list[str] = []
    found: list[int] = []
    skip = False
    for index, character in enumerate(text):
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif quote:
            if character == quote and opened:
                found.append(index)
            if character in {quote, "\n"}:
                opened = quote = ""
        elif character in _QUOTES and not _is_apostrophe(text, index):
            quote = character
        elif character in _OPENERS:
            depth.append(character)
        elif character in _PAIRS and not depth:
            found.append(index)
        elif character in _PAIRS and depth[-1] == _PAIRS[character]:
            depth.pop()
    return found


def _is_apostrophe(text: str, index: int) -> bool:
    """Whether a quote is inside a word, as in prose or Rust's lifetimes."""
    return text[index] == "'" and 0 < index < len(text) - 1 and text[index - 1].isalpha() and text[index + 1].isalpha()


def _open_quote(line: str) -> str:
    """The quote that a line leaves open, if it does."""
    quote, skip = "", False
    for index, character in enumerate(line):
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and not _is_apostrophe(line, index):
            quote = character
    return quote
