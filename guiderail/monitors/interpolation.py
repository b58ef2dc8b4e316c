"""Code inside strings: f-strings and template literals are rewritten as plain code in brackets.

So monitors and analysers see code where a person writes code. Every character keeps its place: of the string's text
blanks are left, and the brackets around the code become round ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guiderail.monitors.lex_state import LexState, tokens
from guiderail.text.languages.table import LEXICONS

PREFIX = 3  # characters before a quote that say of what kind the string is
DEEPEST = 4  # strings inside strings' code
MOST_FORMATS = 100  # number signs of formats in a string; each is first taken for a comment, up to its line's end
_DOUBLED = re.compile(r"(?s)\\.|\{\{|\{")  # two braces are one character of the text
_DOLLAR = re.compile(r"(?s)\\.|\$\{")


@dataclass(frozen=True, slots=True)
class Hole:
    """The code in a string that a text ends in.

    Parameters
    ----------
    begin
        Where the string begins, with its prefix.
    quote
        What closes it.
    opened
        Where the code begins, at its opening bracket; -1 where the text ends outside any.
    """

    begin: int
    quote: str
    opened: int


def hole_at(text: str, state: LexState, language: str) -> Hole | None:
    """The string that a text ends in, if code may stand in it; `state` is the lexer's at its end."""
    lexicon = LEXICONS[language]
    if lexicon.holed is None or state.opened < 0:
        return None
    quote = next((string.quote for string in lexicon.strings if text.startswith(string.quote, state.opened)), "")
    end = state.opened + len(quote)
    found = (m for m in lexicon.holed.finditer(text, max(0, state.opened - PREFIX), end) if m.end() == end)
    string = next(found, None) if quote else None
    if string is None:
        return None
    return Hole(string.start(), quote, _last_open(text, end, lexicon.hole, language))


def _last_open(text: str, at: int, hole: str, language: str) -> int:
    """Where the code begins that a text ends in, of a string that goes on at `at`; -1 if it ends in none."""
    pattern, formats = _DOUBLED if hole == "{" else _DOLLAR, iter(range(MOST_FORMATS))
    while found := pattern.search(text, at):
        at = found.end()
        if found[0] != hole:
            continue
        closed = _code_end(text, at, language, formats)
        if closed is None:
            return at - 1
        at = closed + 1
    return -1


def _code_end(text: str, at: int, language: str, formats: Iterator[int]) -> int | None:
    """Where the brace stands that closes the code that begins at `at`; None if it does not come.

    Of `formats` one is taken for each number sign that is read as a format's.
    """
    depth, scan = 0, tokens(text, language, at)
    while token := next(scan, None):
        found, _, unclosed = token
        if found["open"]:
            depth += 1
        elif found["close"] and depth:
            depth -= 1
        elif found["close"] == "}":
            return found.start()
        elif found[0][0] == "#" and next(formats, None) is not None:
            scan = tokens(text, language, found.start() + 1)
        elif unclosed:
            return None
    return None


def as_code(text: str, hole: Hole) -> str:
    """A text that ends in a string's code, as code in brackets."""
    return text[: hole.begin] + _blank(text[hole.begin : hole.opened]) + "(" + text[hole.opened + 1 :]


def rest_as_code(rest: str, hole: Hole, language: str) -> str:
    """What follows a cursor in a string, as code: what is left of the string's text is blank."""
    line = rest.find("\n") if len(hole.quote) == 1 and hole.quote != "`" else -1
    stop = line if line >= 0 else len(rest)
    end = _code_end(rest[:stop], 0, language, iter(range(MOST_FORMATS))) if hole.opened >= 0 else None
    end = -1 if end is None else end
    closed = rest.find(hole.quote, end + 1, stop)
    last = closed + len(hole.quote) if closed >= 0 else stop
    return rest[: max(end, 0)] + ")" * (end >= 0) + _blank(rest[end + 1 : last]) + rest[last:]


def _blank(text: str) -> str:
    return re.sub(r"[^\r\n]", " ", text)
