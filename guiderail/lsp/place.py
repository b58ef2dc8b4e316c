"""What a cursor is in: code, a comment, a string, or a string of prose.

The lexer says whether it is in code, which it is nearly always, from the text before the cursor alone. Where it is not,
the syntax tree of the statement tells comments, strings and the code that is embedded in strings apart.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from guiderail.monitors.lex_cache import lex_cache
from guiderail.text.document import Document
from guiderail.text.languages.table import BY_NAME, LEXICONS
from guiderail.text.syntax import SlowTextError, ancestors, byte_point, has_grammar, parse

if TYPE_CHECKING:
    from tree_sitter import Node

Place = Literal["code", "comment", "string", "prose"]

PREFIX = 4  # characters in which a string's opening quote stands: rb"
BEFORE, AFTER = 20_000, 2000  # characters around the cursor that are parsed
PARSE_S = 0.015  # of each of a few trees: this is asked at each key, on the event loop
WORDS = 3  # in a row make prose of a string
_WORD = r"[^\W\d_]{2,}+(?:['’][^\W\d_]++)?"
_VALUE = r"(?:\$?\{[^{}\n]*\}|%[-.\d]*[a-z]|\d+|[^\W\d_])"  # between two words: what stands for a value, a number, "a"
_BETWEEN = rf"[,;:.!?]?\s+(?:{_VALUE}[,;:.!?]?\s+)*"
_PROSE = re.compile(rf"(?<![\w./$-]){_WORD}(?:{_BETWEEN}{_WORD}){{{WORDS - 1}}}(?![\w(=/])")
_QUERY = re.compile(r"\s*(?:select|insert|update|delete|create|alter|drop|with)\s", re.IGNORECASE)
_EMBEDDED = re.compile(r"interpolation$|substitution$")
_BLOCK_END = "*/"


def place_at(document: Document, offset: int) -> Place:
    """What the cursor at an offset of a document is in.

    A string is prose if it is a statement by itself, as docstrings are, or holds `WORDS` words in a row and does not
    begin as a database query does. Without a grammar for the language, only lines that begin as comments are known.
    What cannot be told soon is taken for code.
    """
    language = document.language or ""
    if language not in LEXICONS or not has_grammar(language):
        return "comment" if _is_comment_line(document, offset) else "code"
    state = lex_cache(document.path, language).state_soon(document.text[:offset])
    if state is None or not state.in_string_or_comment:
        return "code"
    begin = max(state.statement_start, offset - BEFORE)
    start = document.line_start(document.position_at(begin)[0])
    # What the lexer tells, which has seen all that is before the cursor: not every string is prose.
    lexed: Place = "prose" if _opens_string(document.text, state.opened, language) else "comment"
    if state.opened < start:  # a tree without its beginning tells nothing
        return lexed
    before, after = document.text[start:offset], document.text[offset : offset + AFTER]
    try:
        for closed in ("", *_closers(language)):  # what is being written has no end yet
            found = _around(before, closed + after, language)
            if found is not None:
                return found
    except SlowTextError:
        return lexed
    return "code"


def _is_comment_line(document: Document, offset: int) -> bool:
    known = BY_NAME.get(document.language or "")
    if known is None or not known.is_code:
        return False
    before = document.text[document.line_start(document.position_at(offset)[0]) : offset]
    return before.lstrip().startswith(known.comment[0])


def _opens_string(text: str, at: int, language: str) -> bool:
    quotes = {string.quote[0] for string in LEXICONS[language].strings}
    return not quotes.isdisjoint(text[at : at + PREFIX])


def _closers(language: str) -> list[str]:
    """What may end a comment or string of a language."""
    return [_BLOCK_END, *(string.quote for string in LEXICONS[language].strings)]


def _around(before: str, after: str, language: str) -> Place | None:
    """Which of the places the innermost comment, string or embedded code around a cursor is; None if there is none.

    Raises
    ------
    SlowTextError
        Parsing takes too long.
    """
    head = before.encode(errors="surrogatepass")
    source = head + after.encode(errors="surrogatepass")
    root = parse(source, language, PARSE_S)
    # The character before the cursor: at the end of a line comment the cursor is after it, and still in it.
    last = byte_point(source, max(0, len(head) - 1))
    node = root.descendant_for_point_range(last, byte_point(source, len(head)))
    around = [node, *ancestors(node, root)] if node is not None else []
    for level, one in enumerate(around):
        if _EMBEDDED.search(one.type):
            return "code"
        if "comment" in one.type:
            return "comment"
        if "string" in one.type:
            return "prose" if _is_prose(around[level:]) else "string"
    return None


def _is_prose(around: list[Node]) -> bool:
    """Whether a string, of which the first node is a part, is a statement by itself or holds words in a row.

    Parameters
    ----------
    around
        The part, and the nodes that it is in.
    """
    parts = list(takewhile(lambda one: "string" in one.type, around))
    for outer in around[len(parts) : len(parts) + 1]:
        if outer.type == "expression_statement" and outer.named_child_count == 1:
            return True
    text = (parts[-1].text or b"").decode(errors="replace").lstrip("\"'`@$#rbfuRBFUL")
    return _QUERY.match(text) is None and _PROSE.search(text) is not None
