"""Withholds suggestions with tokens or keys that the person's own file does not contain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guiderail.prompt.secrets.masking import secrets

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.text.document import Document

AROUND = 2000  # characters beside a suggestion that may belong to a token that it continues


def without_secrets(document: Document, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """The suggestions without those that would write a token or key which the document has nowhere.

    Other files' secrets never reach a model, but it may know some from its training. Only well-known forms count.
    """
    return [one for one in suggestions if not _leaks(document.text, one)]


def _leaks(text: str, one: Suggestion) -> bool:
    before, after = text[max(one.start - AROUND, 0) : one.start], text[one.end : one.end + AROUND]
    whole = before + one.text + after
    begin, end = len(before), len(before) + len(one.text)
    found = [span for span in secrets(whole, generic=False) if span[0] < end and span[1] > begin]
    return any(whole[first:last] not in text for first, last in found)
