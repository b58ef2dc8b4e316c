"""Where a text stands: in code, in a string, in a comment, inside which brackets; found once, then kept up to date.

A tree of the whole syntax says more, but not of unfinished text (methods differ most in how they recover), and it costs
more than a dot needs. The lexer knows strings, comments and brackets of a language, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

MARKED = 512  # characters from mark to mark
RESTS = 8  # of texts, that are known
CLOSING = {"(": ")", "[": "]", "{": "}"}
OPENING = {closing: opening for opening, closing in CLOSING.items()}
_BRACKETS_AND_BREAKS = r"(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<break>\\\r?\n|\r?\n|\r|;)"


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
class Syntax:
    """What the lexer must know of a language.

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
    """

    comments: tuple[str, ...]
    strings: tuple[String, ...]
    lines: bool = True
    blocks: bool = True


def _string(quote: str, *, many_lines: bool | None = None) -> String:
    """A string that the same quote ends, with escapes by backslash; three quotes mean many lines."""
    many = len(quote) > 1 if many_lines is None else many_lines
    mark = re.escape(quote[0])
    plain = rf"[^\\{mark}]" if many else rf"[^\\{mark}\r\n]"
    inner = rf"{plain}++|\\\r\n|\\(?s:.)" + (rf"|{mark}(?!{re.escape(quote[1:])})" if len(quote) > 1 else "")
    return String(quote, rf"(?:{inner})*+{re.escape(quote)}", many, rf"(?:{inner})*+")


_SLASHES = (r"//[^\r\n]*", r"/\*(?s:.*?)(?:\*/|\Z)")
_DIRECTIVE = r"(?m:^[ \t]*+\#)(?:[^\\\r\n]++|\\\r?\n|\\.)*+"  # a macro's body is no code of its own
_DIGIT_MARK = r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])"
# A slash begins a pattern where an expression may begin; divisions stand after one.
_PATTERN = (
    r"(?:(?<=[=(,:;!&|?{}\[])|(?<=return)|(?m:^))[ \t]*"
    r"/(?![/*])(?:[^\\/\[\r\n]|\\.|\[(?:[^\]\\\r\n]|\\.){0,200}+\])++/[a-z]*+"
)
_TEMPLATE = String(  # ${…} may hold braces and templates, each once more
    "`", r"(?:[^`\\$]++|\\(?s:.)|\$(?!\{)|\$\{(?:[^{}`]++|\{[^{}]*+\}|`[^`]*+`)*+\})*+`", many_lines=True
)
_LETTER = r"'(?:[^'\\\r\n]|\\[^\r\n][^'\r\n]{0,10})'"  # and what is not closed like this is a lifetime

PYTHON = Syntax((r"#[^\r\n]*",), tuple(map(_string, ('"""', "'''", '"', "'"))), blocks=False)
JAVA = Syntax(_SLASHES, (_string('"""'), _string('"'), _string("'")), lines=False)
C = Syntax(
    (*_SLASHES, _DIRECTIVE, _DIGIT_MARK),
    (
        String('R"', r'(?P<delimiter>[^()\\\s]{0,16})\((?s:.*?)\)(?P=delimiter)"', many_lines=True),
        _string('"'),
        _string("'"),
    ),
    lines=False,
)
C_SHARP = Syntax(
    (*_SLASHES, _DIRECTIVE),
    (
        String('"""', r'(?s:.*?)"""', many_lines=True),
        *(String(quote, r'(?:[^"]|"")*+"', many_lines=True) for quote in ('$@"', '@$"', '@"')),
        _string('"'),
        _string("'"),
    ),
    lines=False,
)
GO = Syntax(_SLASHES, (_string('"'), _string("'"), String("`", "[^`]*`", many_lines=True)))
RUST = Syntax(
    (*_SLASHES, _LETTER),
    (
        *(String(f'r{marks}"', rf'(?s:.*?)"{marks}', many_lines=True) for marks in ("##", "#", "")),
        _string('"', many_lines=True),
    ),
    lines=False,
)
WEB = Syntax((*_SLASHES, _PATTERN), (_TEMPLATE, _string('"'), _string("'")))
SYNTAX = {
    "python": PYTHON,
    "java": JAVA,
    "c": C,
    "cpp": C,
    "csharp": C_SHARP,
    "go": GO,
    "rust": RUST,
    "javascript": WEB,
    "javascriptreact": WEB,
    "typescript": WEB,
    "typescriptreact": WEB,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """The begin of a line, outside strings and comments, of which what stands in front says all, whatever follows.

    Parameters
    ----------
    at
        Its offset.
    brackets, statement
        Those of a `Place` there.
    """

    at: int = 0
    brackets: tuple[int, ...] = ()
    statement: int = 0


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
        Offset after the last end of a statement outside brackets.
    mark
        From where a longer text is to be read on: what stands after may still turn into something else.
    """

    inside: bool = False
    brackets: tuple[int, ...] = ()
    statement: int = 0
    mark: Mark = Mark()


def place(text: str, language: str, before: Place | None = None, marks: list[Mark] | None = None) -> Place:
    """Where `text` ends; `before` is the place of a shorter text that it begins with.

    A mark each `MARKED` characters is added to `marks`.

    Raises
    ------
    KeyError
        The language has no syntax here.
    """
    mark = before.mark if before else Mark()
    at, brackets, statement, inside = mark.at, list(mark.brackets), mark.statement, False
    open_until = 0  # where a string ends that nobody closed, and that what follows may still close
    unclosed: dict[str, int] = {}  # by quote, up to where a string is known not to be closed
    syntax, scanner = SYNTAX[language], _scanner(language)
    while found := scanner.search(text, at):
        begin, at = found.span()
        if found["open"]:
            brackets.append(begin)
        elif found["close"] and brackets:
            brackets.pop()
        elif found["quote"]:
            string = _strings(language)[found["quote"]]
            closed = string.pattern.match(text, at) if unclosed.get(string.quote, 0) <= begin else None
            if closed is None and not string.many_lines and open_until <= begin:
                open_until = _last_line_end(text, at)
            if closed is None and unclosed.get(string.quote, 0) <= begin:
                unclosed[string.quote] = string.stop(text, at)
            at = closed.end() if closed else len(text) if string.many_lines else _line_end(text, at)
            inside = closed is None and at == len(text)  # a line ends a string that nobody closed
        elif found["comment"] and at == len(text):
            inside = scanner.match(text + "a", begin)[0] != found[0]  # pyright: ignore[reportOptionalSubscript]
        if _ends_statement(syntax, found, [text[at] for at in brackets[-1:]]):
            statement = at
        if found["break"] and found["break"][-1] == "\n" and open_until < at < len(text):
            if at < mark.at + len(brackets):  # a mark costs as much as brackets are open: no more of them than text
                continue
            mark = Mark(at, tuple(brackets), statement)
            if marks is not None and at >= marks[-1].at + MARKED:
                marks.append(mark)
    return Place(inside, tuple(brackets), statement, mark)


def _ends_statement(syntax: Syntax, found: re.Match[str], innermost: list[str]) -> bool:
    """Whether a token ends a statement, the bracket around it being `innermost`, if there is one."""
    if syntax.blocks and (found["open"] == "{" or found["close"] == "}"):
        return True
    outside = not innermost or (syntax.blocks and innermost == ["{"])
    word = found["break"]
    return bool(word) and outside and word[0] != "\\" and (syntax.lines or word == ";")


@lru_cache(RESTS)
def unmatched_closers(text: str, language: str, most: int | None = None) -> str:
    """The closing brackets of `text` that it has no opening ones for; no more than `most` are looked for.

    What stands after a cursor stays the same while somebody types, and is read once.
    """
    open_here = at = 0
    closers = ""
    unclosed: dict[str, int] = {}  # as in `place`; of strings of many lines but for odd escapes
    while (most is None or len(closers) < most) and (found := _scanner(language).search(text, at)):
        at = found.end()
        if found["open"]:
            open_here += 1
        elif found["close"]:
            if open_here:
                open_here -= 1
            else:
                closers += found["close"]
        elif found["quote"]:
            kind = _strings(language)[found["quote"]]
            is_open = unclosed.get(kind.quote, 0) > found.start()
            string = None if is_open else kind.pattern.match(text, at)
            if string is None and not is_open:
                unclosed[kind.quote] = kind.stop(text, at)
            at = string.end() if string else _line_end(text, at)
    return closers


def _line_end(text: str, at: int) -> int:
    found = _BREAK.search(text, at)
    return found.start() if found else len(text)


def _last_line_end(text: str, at: int) -> int:
    """The end of a line that a backslash does not join with the next one."""
    end = _line_end(text, at)
    while end < len(text) and text[end - 1] == "\\":
        end = _line_end(text, end + 1 + text.startswith("\r\n", end))
    return end


_BREAK = re.compile(r"[\r\n]")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _scanner(language: str) -> re.Pattern[str]:
    syntax = SYNTAX[language]
    quotes = "|".join(re.escape(string.quote) for string in syntax.strings)
    return re.compile(f"(?P<comment>{'|'.join(syntax.comments)})|(?P<quote>{quotes})|{_BRACKETS_AND_BREAKS}")


@cache
def _strings(language: str) -> dict[str, String]:
    return {string.quote: string for string in SYNTAX[language].strings}
