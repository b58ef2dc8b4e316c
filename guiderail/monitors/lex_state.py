"""A lexer's state at the end of a text: in code, in a string or comment, inside which brackets, in which statement.

A syntax tree says more, but is unreliable for unfinished text, and costs more than is needed at a dot. The lexer knows
the strings, comments and brackets of a language, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    SlowTextError
        There are more than `most`.
    """
    checkpoint = before.checkpoint if before else Checkpoint()
    brackets, statement, inside = list(checkpoint.open_brackets), checkpoint.statement_start, False
    begin, open_until = -1, 0  # `open_until`: where a string ends that is not closed, but may be later
    for found, at, unclosed in tokens(text, language, checkpoint.at, most):
        begin = found.start()
        if found["open"]:
            brackets.append(begin)
        elif found["close"] and brackets:
            brackets.pop()
        elif unclosed:
            inside = unclosed.many_lines or at == len(text)  # a line end closes a string of one line
            if unclosed.many_lines:
                break
            open_until = open_until if open_until > begin else _last_line_end(text, found.end())
        elif found["comment"] and at == len(text):
            inside = (longer := _scanner(language).match(text + "a", begin)) is None or longer[0] != found[0]
        if _ends_statement(LEXICONS[language], found, [text[at] for at in brackets[-1:]]):
            statement = at
        if found["break"] and found["break"][-1] == "\n" and open_until < at < len(text):
            if at < checkpoint.at + len(brackets):  # one costs as much as brackets are open: never more than the text
                continue
            checkpoint = Checkpoint(at, tuple(brackets), statement)
            if checkpoints is not None and at >= checkpoints[-1].at + CHECKPOINT_EVERY:
                checkpoints.append(checkpoint)
    return LexState(inside, tuple(brackets), statement, checkpoint, begin if inside else -1)


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
    open_here, closers = 0, ""
    for found, _, _ in tokens(text, language):
        if most is not None and len(closers) >= most:
            break
        if found["open"]:
            open_here += 1
        elif found["close"] and open_here:
            open_here -= 1
        elif found["close"]:
            closers += found["close"]
    return closers


def pairs(text: str, language: str, opened: str) -> tuple[str, int]:
    """What is open at a text's end, the outermost first, and how many of its brackets and quotes have no partner.

    A string of many lines that is not closed counts as open, by its quote.

    Parameters
    ----------
    text, language
        What is read: code from its beginning on.
    opened
        The brackets that are open there.
    """
    stack, single = list(opened), 0
    for found, _, unclosed in tokens(text, language):
        if found["open"]:
            stack.append(found["open"])
        elif found["close"] and stack and stack[-1] == OPENING[found["close"]]:
            stack.pop()
        elif unclosed and unclosed.many_lines:
            return "".join([*stack, unclosed.quote[0]]), single
        elif found["close"] or unclosed:
            single += 1
    return "".join(stack), single


def tokens(
    text: str, language: str, at: int = 0, most: int | None = None
) -> Iterator[tuple[re.Match[str], int, String | None]]:
    """The brackets, comments, strings and ends of statements of code from `at` on: how each begins, and where it ends.

    A string that is not closed comes third; the line's end ends it. The text is read once, whatever is left open.

    Raises
    ------
    SlowTextError
        There are more than `most`.
    """
    scanner, strings, read = _scanner(language), _strings(language), 0
    unclosed: dict[str, int] = {}  # by quote, up to where a string is known not to be closed
    while found := scanner.search(text, at):
        read += 1
        if most is not None and read > most:
            raise SlowTextError
        begin, at = found.span()
        open_string = None
        if found["quote"]:
            string = strings[found["quote"]]
            is_open = unclosed.get(string.quote, 0) > begin
            closed = None if is_open else string.pattern.match(text, at)
            if closed is None and not is_open:
                unclosed[string.quote] = string.stop(text, at)
            at, open_string = (closed.end(), None) if closed else (_line_end(text, at), string)
        yield found, at, open_string


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
