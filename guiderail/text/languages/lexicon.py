"""The lexical facts of a language: its comments, its strings, what ends a statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class String:
    """One kind of string.

    Parameters
    ----------
    quote
        What opens it.
    rest
        The pattern of what follows, up to its end.
    many_lines
        Whether it may go on over a line end.
    inner
        The pattern of what it holds, where it may not.
    """

    quote: str
    rest: str
    many_lines: bool = False
    inner: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of what follows the opening quote, compiled."""
        return _compiled(self.rest)

    def stop(self, text: str, at: int) -> int:
        """Where a string that opened before `at` cannot go on, if it is not closed."""
        held = None if self.many_lines else _compiled(self.inner).match(text, at)
        return held.end() if held else len(text)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The tokens that a lexer tells apart.

    Parameters
    ----------
    comments
        Patterns of whole comments, and of whatever else has to be passed over as one.
    strings
        The kinds of strings, those that begin with another's quote first.
    lines
        Whether a line end ends a statement.
    blocks
        Whether braces hold statements; if not, a line end or semicolon inside any bracket ends none.
    holed, hole
        What a string begins with in whose text code may stand (prefix and quote), and what the code begins with there.
    """

    comments: tuple[str, ...]
    strings: tuple[String, ...]
    lines: bool = True
    blocks: bool = True
    holed: re.Pattern[str] | None = None
    hole: str = "{"


def quoted(quote: str, *, many_lines: bool | None = None) -> String:
    """A string that the same quote ends, with escapes by backslash; three quotes mean many lines."""
    many = len(quote) > 1 if many_lines is None else many_lines
    mark = re.escape(quote[0])
    plain = rf"[^\\{mark}]" if many else rf"[^\\{mark}\r\n]"
    inner = rf"{plain}++|\\\r\n|\\(?s:.)" + (rf"|{mark}(?!{re.escape(quote[1:])})" if len(quote) > 1 else "")
    return String(quote, rf"(?:{inner})*+{re.escape(quote)}", many, rf"(?:{inner})*+")


SLASH_COMMENTS = (r"//[^\r\n]*", r"/\*(?s:.*?)(?:\*/|\Z)")
DIRECTIVE = r"(?m:^[ \t]*+\#)(?:[^\\\r\n]++|\\\r?\n|\\.)*+"  # a macro's body is no code of its own


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
