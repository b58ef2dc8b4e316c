"""Where a text stands: in code, in a string, in a comment, inside which brackets; found once, then kept up to date.

A tree of the whole syntax says more, but not of unfinished text (methods differ most in how they recover), and it costs
more than a dot needs. The lexer knows strings, comments and brackets of a language, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

CLOSING = {"(": ")", "[": "]", "{": "}"}
_BRACKETS_AND_BREAKS = r"(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<break>\\\r?\n|\r?\n|\r|;)"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What the lexer must know of a language.

    Parameters
    ----------
    comments
        Patterns of whole comments.
    strings
        For each opening quote, longest first, the pattern of what may follow it up to its end.
    lines
        Whether a line end outside brackets ends a statement.
    """

    comments: tuple[str, ...]
    strings: tuple[tuple[str, str], ...]
    lines: bool = True


def _until(quote: str, *, many_lines: bool) -> str:
    """What may stand between quotes, and the closing one."""
    mark = re.escape(quote[0])
    plain = rf"[^\\{mark}]" if many_lines else rf"[^\\{mark}\r\n]"
    inner = rf"{plain}|\\\r\n|\\(?s:.)" + (rf"|{mark}(?!{re.escape(quote[1:])})" if len(quote) > 1 else "")
    return rf"(?:{inner})*+{re.escape(quote)}"


PYTHON = Syntax(
    comments=(r"#[^\r\n]*",),
    strings=tuple((quote, _until(quote, many_lines=len(quote) > 1)) for quote in ('"""', "'''", '"', "'")),
)
SYNTAX = {"python": PYTHON}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text ends.

    Parameters
    ----------
    inside
        Whether it ends inside a string or a comment.
    brackets
        Offsets of the brackets that are open.
    statement
        Offset behind the last end of a statement outside brackets.
    resume
        Offset from which a longer text is to be read on: what stands behind may still turn into something else.
    """

    inside: bool = False
    brackets: tuple[int, ...] = ()
    statement: int = 0
    resume: int = 0


def place(text: str, language: str, before: Place | None = None) -> Place:
    """Where `text` ends; `before` is the place of a shorter text that it begins with.

    Raises
    ------
    KeyError
        The language has no syntax here.
    """
    start = before or Place()
    brackets, statement, at = list(start.brackets), start.statement, start.resume
    syntax, scanner = SYNTAX[language], _scanner(language)
    while found := scanner.search(text, at):
        begin, at = found.span()
        if found["open"]:
            brackets.append(begin)
        elif found["close"]:
            if brackets:
                brackets.pop()
        elif found["break"]:
            if text[begin] != "\\" and not brackets and (syntax.lines or text[begin] == ";"):
                statement = at
        elif found["quote"]:
            closed = _strings(language)[found["quote"]].match(text, at)
            if closed is None and (len(found["quote"]) > 1 or _line_end(text, at) == len(text)):
                return Place(True, tuple(brackets), statement, begin)
            at = closed.end() if closed else _line_end(text, at)  # a line ends a string that nobody closed
            if at == len(text):  # "" may become the start of three quotes
                return Place(False, tuple(brackets), statement, begin)
        elif at == len(text):
            return Place(True, tuple(brackets), statement, begin)
    # A line end of two characters, or a backslash in front of one, may be cut in half.
    return Place(False, tuple(brackets), statement, len(text.rstrip("\\\r")))


def unmatched_closers(text: str, language: str) -> int:
    """How many of the brackets that are open in front of `text` it closes."""
    open_here = closed = at = 0
    while found := _scanner(language).search(text, at):
        at = found.end()
        if found["open"]:
            open_here += 1
        elif found["close"]:
            if open_here:
                open_here -= 1
            else:
                closed += 1
        elif found["quote"]:
            string = _strings(language)[found["quote"]].match(text, at)
            at = string.end() if string else _line_end(text, at)
    return closed


def _line_end(text: str, at: int) -> int:
    found = re.compile(r"[\r\n]").search(text, at)
    return found.start() if found else len(text)


@cache
def _scanner(language: str) -> re.Pattern[str]:
    syntax = SYNTAX[language]
    quotes = "|".join(re.escape(quote) for quote, _ in syntax.strings)
    return re.compile(f"(?P<comment>{'|'.join(syntax.comments)})|(?P<quote>{quotes})|{_BRACKETS_AND_BREAKS}")


@cache
def _strings(language: str) -> dict[str, re.Pattern[str]]:
    return {quote: re.compile(rest) for quote, rest in SYNTAX[language].strings}
