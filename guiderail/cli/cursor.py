"""The request of a command for the cursor that a person names."""

from __future__ import annotations

from pathlib import Path

from guiderail.engine.request import CompletionRequest
from guiderail.errors import UsageError
from guiderail.settings import Settings
from guiderail.text.document import Document


def request_at(document: Document, line: int | None, column: int | None, settings: Settings) -> CompletionRequest:
    """A request at a line from 1 and a column from 0; at the end of the text or of the line where one is missing.

    Raises
    ------
    PositionError
        There is no such position.
    """
    if line is None and column is not None:
        raise UsageError("--column needs --line", "Give both")
    if line is None:
        offset = len(document.text)
    elif column is None:
        offset = document.line_end(line - 1)
    else:
        offset = document.offset_at(line - 1, column)
    return request_of(document, offset, settings)


def request_of(document: Document, offset: int, settings: Settings) -> CompletionRequest:
    """A request at an offset, in the project that the file belongs to; a command counts as asking by hand."""
    from guiderail.prompt.project import find_root

    root = find_root((document.path or Path.cwd()).absolute())
    return CompletionRequest(
        document=document, offset=offset, root=root, settings=settings, n=settings.suggestions, by_hand=True
    )
