"""What of a change no grammar allows: a token that nothing could make right, or a bracket that closes one too many.

Both are told of any language that has a grammar and a lexer, at any moment of typing: what may still be written after
the line is left open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.lex_state import unmatched_closers
from guiderail.text.backwards import word_start
from guiderail.text.languages.table import LEXICONS
from guiderail.text.refusal import beginnings
from guiderail.text.syntax import SlowTextError, has_grammar

if TYPE_CHECKING:
    from guiderail.monitors.change import Change
    from guiderail.text.document import Document

BELOW = 100_000  # characters after the line in which the brackets are looked for that close something before
MOST = 64  # brackets that the text below is asked for


def refused_at(document: Document, change: Change) -> int | None:
    """Up to where the text of a change may be right by its syntax; None if all of it may be, as far as is known.

    Nothing is said where the text is wrong before it, or ends in a string or comment, whose content is free.
    """
    language = document.language or ""
    if language not in LEXICONS or not has_grammar(language):
        return None
    end = document.line_end(document.position_at(change.end)[0])
    before, rest = document.text[: change.start], document.text[change.end : end]
    # The last word of a text that was cut may be the half of another one.
    text = change.text if change.finished or rest.strip() else change.text[: word_start(change.text, len(change.text))]
    try:
        found = _refused(document, before, text, rest)
    except SlowTextError:
        return None
    return len(text) if found is None and _closes_too_much(document, before, text + rest, end) else found


def _refused(document: Document, before: str, text: str, rest: str) -> int | None:
    """Where in a text its first token begins that is refused; one in the rest of the line counts as at its end."""
    language = document.language or ""
    # A comment ends with its line, as does a string that may not go on in the next.
    if lex_cache(document.path, language).state(before + text + rest + "\n").in_string_or_comment:
        return None
    found = _first_refused(document, before, text + rest)
    if found is None or (found < 0 and _first_refused(document, before, "") is not None):
        return None
    if found < len(text):
        return max(0, found)
    # Where the rest goes on with the text and is refused later, that is its own matter.
    return None if rest[: found - len(text)].strip() else len(text)


def _first_refused(document: Document, before: str, line: str) -> int | None:
    """Where in a line, after what is before it, the first token begins that is refused; negative before the line."""
    head, parser = _encoded(before), beginnings(document.path, document.language or "")
    # A line that goes on in the next one is read without the sign that says so.
    source = _encoded((before + line).rstrip("\\"))
    found = parser.refused(source, len(head))
    return None if found is None else len(source[:found].decode(errors="ignore")) - len(before)


def _closes_too_much(document: Document, before: str, line: str, end: int) -> bool:
    """Whether the rest of a line closes brackets that the text below it needs, and does not lack already."""
    lexer = lex_cache(document.path, document.language or "")
    if not any(bracket in line for bracket in ")]}"):
        return False
    left = len(lexer.state(f"{before}{line}\n").open_brackets)
    closers = len(unmatched_closers(document.text[end : end + BELOW], document.language or "", MOST))
    return left < closers < MOST and len(lexer.state(before).open_brackets) >= closers


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
