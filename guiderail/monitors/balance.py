"""Whether a text leaves brackets and quotes in pairs with the rest of its line, and with the lines below.

A syntax tree says more, but not of a line that is right only with the next one. Pairs must hold in every language.
"""

from __future__ import annotations

import re

from guiderail.monitors.change import Change
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import CLOSING, pairs, unmatched_closers
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
    before = document.text[: change.start]
    comments = _in_comment(document, before + change.text) and not _in_comment(document, before)
    was = _single(document, before, document.text[change.start : end], end)
    now = _single(document, before, change.text + rest, end)
    # What the text closes last may be what the rest of the line closes too.
    text = change.text.rstrip()
    repeats = now > 0 and text[-1:] in _ENDS_OPERAND and rest.startswith(text[-1:])
    return comments or now > was or (repeats and _single(document, before, text[:-1] + rest, end) < now)


def _in_comment(document: Document, text: str) -> bool:
    """Whether a text ends in a comment that goes on up to the line's end."""
    language = document.language or ""
    opened = lex_cache(document.path, language).state(text).opened
    if opened < 0:
        return False
    quotes = tuple(string.quote for string in LEXICONS[language].strings)
    return not text.startswith(quotes, opened)


def _single(document: Document, before: str, rest: str, end: int) -> int:
    """How many brackets and quotes have no partner: of the rest of a line after a text, and of what is open there."""
    language = document.language or ""
    state = lex_cache(document.path, language).state(before)
    begin = state.opened if state.opened >= 0 else len(before)
    opened, single = pairs(before[begin:] + rest, language, 0, "".join(before[at] for at in state.open_brackets))
    closers = unmatched_closers(document.text[end : end + BELOW], language, MOST)
    return single + _apart("".join(CLOSING.get(one, one) for one in reversed(opened)), closers)


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
