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
_PARTING = frozenset(":,;.")
_BRACKETS = frozenset("()[]{}")
_EMPTY = frozenset(("()", "[]", "{}"))
_HOLED = "{"
LONGEST_OVERLAP = 200  # characters
READ = 20_000  # characters of a line that are read on either side of the cursor


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
    rest = after[:READ].split("\n", 1)[0].rstrip("\r")
    before = before[-READ:]
    if not text.strip() or (not before.strip() and rest[:1].isspace() and rest.strip()):
        return None  # the second: in an indentation
    if _follows(text.strip(), rest) if rest.strip() else _is_next(text, before, after):
        return None
    if "\n" not in text:
        text = text.rstrip() if rest[:1].isspace() else text
        overlap = _overlap(text, rest)
        if overlap:
            return _nonblank(text[:-overlap])
    closers, is_open = _unmatched(text, before)
    pair = _pair(rest)
    for index in closers:
        cut = _repeated_from(text, index, rest, pair)
        if cut is not None:
            return _nonblank(text[:cut])
    covers = 0 if is_open else _covered(text, closers, rest)  # what is open, the rest of the line closes
    leading = len(rest) - len(rest.lstrip("".join((*_PAIRS, *_QUOTES))))
    covers = min(covers, max(0, leading - _left_open(before + text)))  # the outer ones close what is still open
    if covers and _ends_in_string(before + text + rest[covers:]) and not _ends_in_string(before + text + rest):
        covers = 0
    if "\n" not in text and rest and not covers:
        text = _without_overlap(text, rest)
    return _nonblank(text, covers)


def at_depth(text: str, before: str, above: str) -> str:
    """A text at the cursor's indentation: at a line's start, leading blanks that the syntax forbids are left out.

    All its lines move together.

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
    if not more or not first.strip() or may_indent(before, above):
        return text
    return text[len(more) :].replace(f"\n{before}{more}", f"\n{before}")


def may_indent(before: str, above: str) -> bool:
    """Whether blanks may follow at the cursor where indentation is syntax.

    They may after other text, under a line that opens a block and is indented as deep as the cursor or deeper, and at
    the left margin under an indented line. Elsewhere the indentation is as deep as it can get.
    """
    if before.strip():
        return True
    depth = len(above) - len(above.lstrip())
    opens = any(line.rstrip().endswith(_OPENING) for line in (above, _COMMENT.split(above)[0]))
    return (opens and depth >= len(before)) or (not before and depth > 0)


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


def _repeated_from(text: str, index: int, rest: str, pair: str) -> int | None:
    """Where the end of a text begins that the rest of the line repeats; at `index` it closes what was opened before.

    The rest may begin with a `pair` of brackets before that, which the text has or lacks: `f.|())` is continued by
    `read())` and by `name) + 1`.
    """
    tail = text[index:].rstrip()
    if rest.startswith(tail):
        return index
    if not pair or not rest[len(pair) :].startswith(tail):
        return None
    return index - len(pair) if text[:index].endswith(pair) else index


def _pair(rest: str) -> str:
    """The bracket that a text begins with, up to the one that closes it; empty if it begins with none."""
    if rest[:1] not in _OPENERS:
        return ""
    ends, _ = _unmatched(rest[1:], "")
    return rest[: ends[0] + 2] if ends and rest[ends[0] + 1] == _CLOSERS[rest[0]] else ""


def _nonblank(text: str, covers: int = 0) -> FittedText | None:
    return FittedText(text, covers) if text.strip() else None


def _left_open(line: str) -> int:
    return _Reader(line).count


def _ends_in_string(line: str) -> bool:
    return _Reader(line).in_string


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
    return text[: -len(rest)] if (len(rest) > 1 or rest in {*_PARTING, "{"}) and text.endswith(rest) else text


def _overlap(text: str, rest: str) -> int:
    """How many characters at a text's end the rest of the line begins with, where that is no coincidence."""
    for size in range(min(len(text), len(rest), LONGEST_OVERLAP), 0, -1):
        part = rest[:size]
        if text.endswith(part) and not _joins(part, rest[size:]) and _says_something(text[:-size], part):
            return size
    return 0


def _says_something(before: str, part: str) -> bool:
    """Whether nobody writes a part twice in a row: words with signs, a whole word, an operator, an opening bracket."""
    signs = part.strip()
    if signs != "`" and re.search(r"\w|[\"'`]", part):
        parts_words = re.search(r"\w\W|\W\w", part) is not None or not re.search(r"\w", part)
        return (len(signs) > 2 and parts_words) or (len(part) > 1 and not _joins(before, part))
    return bool(signs) and (signs in _OPENERS or signs in _EMPTY or not _BRACKETS.issuperset(signs))


def _joins(before: str, after: str) -> bool:
    """Whether a word goes on from one text to the other."""
    return f"_{before[-1:]}{after[:1]}".isidentifier() and bool(before and after)


def _unmatched(text: str, before: str) -> tuple[list[int], bool]:
    """Where the text closes brackets and quotes that were opened before it; whether it leaves one of its own open."""
    reader = _Reader(before)
    found = reader.closers(text)
    return found, reader.is_open


class _Reader:
    """Reads on from a line: which of the quotes and brackets that it opened are closed.

    Parameters
    ----------
    before
        The line up to the text that is read.
    """

    def __init__(self, before: str) -> None:
        self._open: list[str] = []  # the outermost first; a quote in whose text code may stand is marked by `_HOLED`
        self._base = 0  # how many of them the line opened
        self.closers(before)
        self._base = len(self._open)

    @property
    def is_open(self) -> bool:
        """Whether something is open that the line did not open."""
        return len(self._open) > self._base

    @property
    def count(self) -> int:
        """How much is open."""
        return len(self._open)

    @property
    def in_string(self) -> bool:
        """Whether the innermost of what is open is a string."""
        return bool(self._open) and self._open[-1][0] in _QUOTES

    def closers(self, text: str) -> list[int]:
        """Where a text closes what the line opened."""
        found: list[int] = []
        skip, braces = False, 0
        for index, character in enumerate(text):
            top = self._open[-1:]
            braces = braces + 1 if character == "{" else 0
            if skip:
                skip = False
            elif character == "\\":
                skip = True
            elif top and top[0][0] in _QUOTES:
                self._in_string(text, index, braces, found)
            elif character in _QUOTES and not _is_apostrophe(text, index):
                self._open.append(character + _HOLED * _has_holes(text, index))
            elif character in _OPENERS:
                self._open.append(character)
            elif character in _PAIRS:
                self._close(_PAIRS[character], index, found)
        return found

    def _in_string(self, text: str, index: int, braces: int, found: list[int]) -> None:
        quote = self._open[-1]
        if text[index] == quote[0]:
            self._close(quote, index, found)
        elif text[index] == "\n" and quote[0] != "`":
            self._open.pop()
            self._base = min(self._base, len(self._open))
        elif text[index] == "{" and _opens_hole(text, index, braces, quote):
            self._open.append("{")

    def _close(self, opener: str, index: int, found: list[int]) -> None:
        """Close what was opened last, if it goes with it; what nothing was opened for closes something further up."""
        inner = len(self._open) > self._base
        if not inner:
            found.append(index)
        if self._open[-1:] == [opener]:
            self._open.pop()
            self._base = min(self._base, len(self._open))


def _has_holes(text: str, index: int) -> bool:
    """Whether code may stand in the text that a quote opens: Python's f-strings, templates, C#'s strings."""
    letters = text[max(0, index - 3) : index]
    prefix = letters[len(letters.rstrip("frtFRT$@")) :]
    begins = not letters[: len(letters) - len(prefix)][-1:].isalnum()
    return text[index] == "`" or (begins and any(letter in "fFtT$" for letter in prefix))


def _opens_hole(text: str, index: int, braces: int, quote: str) -> bool:
    """Whether a brace in a string begins code: in a template after a dollar sign, elsewhere unless it is doubled.

    It is the last of so many `braces` in a row.
    """
    if not quote.endswith(_HOLED):
        return False
    if quote[0] == "`":
        return text[index - 1 : index] == "$"
    return braces % 2 == 1 and text[index + 1 : index + 2] != "{"


def _is_apostrophe(text: str, index: int) -> bool:
    """Whether a quote is inside a word, as in prose or Rust's lifetimes."""
    return text[index] == "'" and 0 < index < len(text) - 1 and text[index - 1].isalpha() and text[index + 1].isalpha()
