"""Whether a text leaves brackets and quotes in pairs with the rest of its line, and with the lines below.

A syntax tree says more, but not of a line that is right only with the next one. Pairs must hold in every language.
"""

from __future__ import annotations

import re

from guiderail.monitors.change import Change
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import CLOSING, lex_state, pairs, unmatched_closers
from guiderail.text.backwards import word_start
from guiderail.text.document import Document
from guiderail.text.languages.table import LEXICONS

BELOW = 100_000  # characters after the line in which the brackets are looked for that close something before
MOST = 64  # brackets that the text below is asked for
LONGEST_WORD = 200
LONGEST = 2_000_000  # characters of a text: lexing a longer one takes seconds
_ENDS_OPERAND = frozenset(")]}\"'`")


def unbalances(document: Document, change: Change) -> bool:
    """Whether more brackets or quotes are without a partner after a change than before it, or code became a comment.

    Where nothing is after the change in its line, all may still come, and nothing is wrong.
    """
    language = document.language
    if language not in LEXICONS or len(document.text) > LONGEST:
        return False
    end = document.line_end(document.position_at(change.end)[0])
    rest = document.text[change.end : end]
    if not rest.strip():
        return False
    before = _Before(document, change.start, end)
    was = before.single(document.text[change.start : end])
    now = before.single(change.text + rest)
    # What the text closes last may be what the rest of the line closes too.
    text = change.text.rstrip()
    repeats = now > 0 and text[-1:] in _ENDS_OPERAND and rest.startswith(text[-1:])
    comments = before.turns_into_comment(change.text)
    return comments or now > was or (repeats and before.single(text[:-1] + rest) < now)


class _Before:
    """The text before a change, of which the lexer's state is enough: no text is put together with it.

    Parameters
    ----------
    document
        The text.
    start, end
        Where the change begins, and where its line ends.
    """

    def __init__(self, document: Document, start: int, end: int) -> None:
        self._language = document.language or ""
        text = document.text[:start]
        state = lex_cache(document.path, self._language).state(text)
        self._open = "".join(text[at] for at in state.open_brackets)
        self._string = text[state.opened :] if state.opened >= 0 else ""  # or the comment
        self._line = text[state.checkpoint.at :]
        self._is_comment = self._in_comment(self._string)
        self._closers = unmatched_closers(document.text[end : end + BELOW], self._language, MOST)

    def single(self, rest: str) -> int:
        """How many brackets and quotes have no partner: of the rest of the line, and of what is open before it."""
        opened, single = pairs(self._string + rest, self._language, self._open)
        return single + _apart("".join(CLOSING.get(one, one) for one in reversed(opened)), self._closers)

    def turns_into_comment(self, text: str) -> bool:
        """Whether a text after code ends in a comment that goes on up to the line's end."""
        return not self._is_comment and self._in_comment(self._line + text)

    def _in_comment(self, text: str) -> bool:
        opened = lex_state(text, self._language).opened
        quotes = tuple(string.quote for string in LEXICONS[self._language].strings)
        return opened >= 0 and not text.startswith(quotes, opened)


def _apart(wanted: str, found: str) -> int:
    """By how much the closing brackets that are found below differ from those that are wanted."""
    if len(found) >= MOST:
        return 0
    differing = sum(one != other for one, other in zip(wanted, found, strict=False))
    return differing + abs(len(wanted) - len(found))


def runs_together(document: Document, change: Change) -> bool:
    """Whether a change ends in the midst of a word that the file has nowhere else, or right before another operand.

    What would be a word of the file is likely meant: the person types in the middle of it.
    """
    after = re.match(r"\w+", document.text[change.end : change.end + LONGEST_WORD])
    if after is None or not change.text:
        return False
    if change.text[-1] in _ENDS_OPERAND - {"}"}:
        return not _in_text(document, document.text[: change.start] + change.text)
    if not re.search(r"\w$", change.text):
        return False
    front = document.text[max(0, change.start - LONGEST_WORD) : change.start] + change.text
    word = front[word_start(front, len(front)) :] + after[0]
    others = f"{document.text[: change.start]} {document.text[change.end + len(after[0]) :]}"
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", others) is None


def _in_text(document: Document, text: str) -> bool:
    """Whether a text ends in a string or comment."""
    language = document.language
    return language in LEXICONS and lex_cache(document.path, language).state(text).in_string_or_comment
