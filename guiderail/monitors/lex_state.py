"""A lexer's state at the end of a text: in code, in a string or comment, inside which brackets, in which statement.

A syntax tree says more, but is unreliable for unfinished text, and costs more than is needed at a dot. The lexer knows
the strings, comments and brackets of a language, and nothing else.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache, lru_cache

from guiderail.text.languages.lexicon import Lexicon, String
from guiderail.text.languages.table import LEXICONS
from guiderail.text.syntax import SlowTextError

CHECKPOINT_EVERY = 512  # characters
KEPT_SUFFIXES = 8  # whose closing brackets are remembered
CLOSING = {"(": ")", "[": "]", "{": "}"}
OPENING = {closing: opening for opening, closing in CLOSING.items()}
_BRACKETS_AND_BREAKS = r"(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<break>\\\r?\n|\r?\n|\r|;)"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A line's beginning in code, from which lexing may go on: the text before it decides, whatever follows.

    Parameters
    ----------
    at
        Its offset.
    open_brackets, statement_start
        Those of the `LexState` there.
    """

    at: int = 0
    open_brackets: tuple[int, ...] = ()
    statement_start: int = 0


@dataclass(frozen=True, slots=True)
class LexState:
    """What the end of a text is in: code or a string or comment, which brackets, which statement.

    Parameters
    ----------
    in_string_or_comment
        Whether the text ends inside a string or a comment.
    open_brackets
        Offsets of the brackets that are open, the outermost first.
    statement_start
        Offset after the last end of a statement outside brackets.
    checkpoint
        Where a longer text is read on: tokens after it may still turn into something else.
    opened
        Where the string or comment begins that the text ends in; -1 if it ends in none.
    """

    in_string_or_comment: bool = False
    open_brackets: tuple[int, ...] = ()
    statement_start: int = 0
    checkpoint: Checkpoint = Checkpoint()
    opened: int = -1


def lex_state(
    text: str,
    language: str,
    before: LexState | None = None,
    checkpoints: list[Checkpoint] | None = None,
    most: int | None = None,
) -> LexState:
    """The state at the end of a text.

    Parameters
    ----------
    text, language
        The text; the language needs a `Lexicon`.
    before
        The state of a shorter text that this one begins with, if it is known.
    checkpoints
        Gets a checkpoint every `CHECKPOINT_EVERY` characters.
    most
        How many brackets, comments, strings and line ends may be read; None for all.

    Raises
    ------
    KeyError
        The language has no lexicon.
    SlowTextError
        There are more than `most`.
    """
    checkpoint = before.checkpoint if before else Checkpoint()
    at, brackets, statement, inside = checkpoint.at, list(checkpoint.open_brackets), checkpoint.statement_start, False
    begin, unclosed, tokens = -1, _Unclosed(), itertools.count(1)
    lexicon, scanner = LEXICONS[language], _scanner(language)
    while found := scanner.search(text, at):
        _check(next(tokens), most)
        begin, at = found.span()
        if found["open"]:
            brackets.append(begin)
        elif found["close"] and brackets:
            brackets.pop()
        elif found["quote"]:
            at, inside = unclosed.read(text, begin, at, _strings(language)[found["quote"]])
        elif found["comment"] and at == len(text):
            inside = _goes_on(scanner, text, begin)
        if _ends_statement(lexicon, found, [text[at] for at in brackets[-1:]]):
            statement = at
        is_safe = found["break"] and found["break"][-1] == "\n" and unclosed.line < at < len(text)
        if is_safe and at >= checkpoint.at + len(brackets):  # one costs as much as brackets are open
            checkpoint = Checkpoint(at, tuple(brackets), statement)
            if checkpoints is not None and at >= checkpoints[-1].at + CHECKPOINT_EVERY:
                checkpoints.append(checkpoint)
    return LexState(inside, tuple(brackets), statement, checkpoint, begin if inside else -1)


def _check(count: int, most: int | None) -> None:
    """Raise SlowTextError if a text has more tokens than are to be read."""
    if most is not None and count > most:
        raise SlowTextError


class _Unclosed:
    """What is known of strings that are not closed, which are looked for once.

    Attributes
    ----------
    line
        Where one of one line ends, that may be closed later.
    """

    def __init__(self) -> None:
        self.line = 0
        self._until: dict[str, int] = {}  # by quote, up to where a string is known not to be closed

    def read(self, text: str, begin: int, at: int, string: String) -> tuple[int, bool]:
        """Where the string ends whose quote is from `begin` to `at`, and whether the text ends in it."""
        is_known = self._until.get(string.quote, 0) > begin
        closed = None if is_known else string.pattern.match(text, at)
        if closed:
            return closed.end(), False
        if not string.many_lines and self.line <= begin:
            self.line = _last_line_end(text, at)
        if not is_known:
            self._until[string.quote] = string.stop(text, at)
        end = len(text) if string.many_lines else _line_end(text, at)
        return end, end == len(text)  # a line end closes a string of one line


def _goes_on(scanner: re.Pattern[str], text: str, begin: int) -> bool:
    """Whether the comment that begins there, up to the text's end, would be longer if the text were."""
    longer = scanner.match(text + "a", begin)
    return longer is None or longer.end() != len(text)


def _ends_statement(lexicon: Lexicon, found: re.Match[str], innermost: list[str]) -> bool:
    """Whether a token ends a statement; `innermost` is the bracket around it, if there is one."""
    if lexicon.blocks and (found["open"] == "{" or found["close"] == "}"):
        return True
    outside = not innermost or (lexicon.blocks and innermost == ["{"])
    word = found["break"]
    return bool(word) and outside and word[0] != "\\" and (lexicon.lines or word == ";")


@lru_cache(KEPT_SUFFIXES)
def unmatched_closers(text: str, language: str, most: int | None = None) -> str:
    """The closing brackets of `text` that it has no opening ones for; no more than `most` are looked for.

    The text after a cursor stays the same while a person types, and is read once.
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


def token_end(text: str, at: int, language: str) -> tuple[int, int, str] | None:
    """The next bracket, comment or string of code: where it begins and ends, and its kind; None if there is none.

    The kinds are "open" and "close", of brackets, "unclosed", of a string, and "other".
    """
    found = _scanner(language).search(text, at)
    if found is None:
        return None
    if found["quote"]:
        closed = _strings(language)[found["quote"]].pattern.match(text, found.end())
        return (found.start(), closed.end(), "other") if closed else (found.start(), len(text), "unclosed")
    kind = "open" if found["open"] else "close" if found["close"] else "other"
    return found.start(), found.end(), kind


def pairs(text: str, language: str, at: int, opened: str) -> tuple[str, int]:
    """What is open at a text's end, the outermost first, and how many of its brackets and quotes have no partner.

    A string of many lines that is not closed counts as open, by its quote.

    Parameters
    ----------
    text, language, at
        What is read, and from where on: a place in code.
    opened
        The brackets that are open there.
    """
    stack, single = list(opened), 0
    while found := _scanner(language).search(text, at):
        at = found.end()
        if found["open"]:
            stack.append(found["open"])
        elif found["close"]:
            if stack and stack[-1] == OPENING[found["close"]]:
                stack.pop()
            else:
                single += 1
        elif found["quote"]:
            string = _strings(language)[found["quote"]]
            closed = string.pattern.match(text, at)
            if closed is None and string.many_lines:
                return "".join([*stack, string.quote[0]]), single
            single += closed is None
            at = closed.end() if closed else _line_end(text, at)
    return "".join(stack), single


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
def _scanner(language: str) -> re.Pattern[str]:
    lexicon = LEXICONS[language]
    quotes = "|".join(re.escape(string.quote) for string in lexicon.strings)
    return re.compile(f"(?P<comment>{'|'.join(lexicon.comments)})|(?P<quote>{quotes})|{_BRACKETS_AND_BREAKS}")


@cache
def _strings(language: str) -> dict[str, String]:
    return {string.quote: string for string in LEXICONS[language].strings}
