"""Line ends: the model reads and writes line feeds, a document keeps its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion


def with_line_feeds(request: CompletionRequest) -> CompletionRequest:
    """The request with line feeds only, and the cursor at the same place."""
    if "\r" not in request.document.text:
        return request
    before, after = _line_feeds(request.before), _line_feeds(request.after)
    return replace(request, document=replace(request.document, text=before + after), offset=len(before))


def with_line_ends_of(request: CompletionRequest, suggestion: Suggestion) -> Suggestion:
    """A suggestion for `with_line_feeds(request)` as one for `request`: with its line ends, at its offset."""
    covered = suggestion.end - suggestion.start  # on the cursor's line
    text = _line_feeds(suggestion.text).replace("\n", request.document.line_ending)
    return replace(suggestion, text=text, start=request.offset, end=request.offset + covered)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
