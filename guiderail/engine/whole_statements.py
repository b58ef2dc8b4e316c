"""Where a text of several lines may end: with a whole statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from guiderail.engine.faults import change_of
from guiderail.monitors.lex_cache import lex_cache
from guiderail.monitors.verdict import opens
from guiderail.text.languages.table import LEXICONS

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

TRIED = 8  # line ends that are looked at, the last ones
_GOES_ON = re.compile(
    r"[:\\(\[{=.]$|(?:^|\n)[ \t]*@[^\n]*$"
)  # a head without its body, a decorator without its function
_LINE_END = re.compile(r"(?<=\S)[ \t]*(?=\r?\n|$)")


def has_lines(text: str) -> bool:
    """Whether a text goes on after the end of a line."""
    return "\n" in text.strip("\r\n \t")


def ends_whole(document: Document, one: Suggestion) -> bool:
    """Whether a text of several lines ends with a whole statement, or element of what brackets hold around it."""
    if not has_lines(one.text):
        return True
    if _GOES_ON.search(one.text.rstrip()) or opens(document, change_of(replace(one, finish="line"))):
        return False
    language = document.language or ""
    if language not in LEXICONS:
        return True
    cache, before = lex_cache(document.path, language), document.text[: one.start]
    return cache.state(f"{before}{one.text}\n").in_string_or_comment == cache.state(before).in_string_or_comment


def with_whole_statements(document: Document, one: Suggestion) -> Suggestion:
    """A text of several lines up to the end of its last whole statement; its first line where none is whole.

    A text that was cut at the limit of its length is in the middle of its last line.
    """
    if not has_lines(one.text) or (one.finish not in {"length", "cancelled"} and ends_whole(document, one)):
        return one
    ends = [found.start() for found in _LINE_END.finditer(one.text) if found.start() < len(one.text.rstrip())]
    for other in _cut(one, [*ends[:1], *ends[1:][-TRIED:]][::-1]):
        if ends_whole(document, other):
            return other
    return one


def _cut(one: Suggestion, ends: list[int]) -> Iterator[Suggestion]:
    """The beginnings up to some ends; what was to replace text after the cursor leaves it there."""
    return (replace(one, text=one.text[:end], end=one.start, finish="block") for end in ends)
