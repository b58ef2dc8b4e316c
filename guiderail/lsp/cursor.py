"""The cursor of a request, and how a suggestion fits in there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lsprotocol import types

from guiderail.lsp.buffer import Buffer
from guiderail.lsp.suggestion_cache import Candidate
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText, fit_text
from guiderail.text.positions import Encoding, to_units

LINE = 20_000  # characters before the cursor in which a quote may have been opened
BLANKS = 1000  # characters, between the cursor and the text after it that a suggestion might repeat


@dataclass(frozen=True, slots=True)
class Cursor:
    """A snapshot of the text around a client's cursor: the document may change while its request is answered.

    Parameters
    ----------
    document, offset
        The text, with the selected menu item in it if there is one, and the cursor.
    line
        The cursor's line number.
    before, rest
        The cursor's line on both sides of it, in the client's own text.
    replaced
        How many characters of `before` a suggestion begins by replacing: the half of the selected item that is typed.
    selected
        The selected item's text, which every suggestion must begin with.
    encoding
        What columns count.
    """

    document: Document
    offset: int
    line: int
    before: str
    rest: str
    encoding: Encoding
    replaced: int = 0
    selected: str = ""

    def range(self, back: int, forward: int) -> types.Range:
        """The range from `back` characters before the cursor to `forward` characters after it."""
        whole = self.before + self.rest
        start, end = (
            types.Position(self.line, to_units(whole, len(self.before) + by, self.encoding)) for by in (-back, forward)
        )
        return types.Range(start, end)

    def fit(self, candidate: Candidate) -> FittedText | None:
        """A suggestion as it fits in at the cursor; None if nothing can be shown of it."""
        text, suggestion = candidate.text, candidate.suggestion
        if candidate.is_fitted:
            shaped = FittedText(text, suggestion.end - suggestion.start) if text.strip() else None
        else:
            shaped = self._fitted(text)
        if shaped is None or (self.selected and shaped.covers):
            return None  # a client shows nothing whose range is not the selected item's
        return shaped

    def _fitted(self, text: str) -> FittedText | None:
        line, column = self.document.position_at(self.offset)
        start = self.offset - min(column, LINE)
        # Not all that follows the cursor: of a long file that would be copied for each suggestion.
        reach = max(self.document.line_end(line), self.offset + len(text)) + BLANKS
        return fit_text(text, self.document.text[start : self.offset], self.document.text[self.offset : reach])


def cursor_at(
    buffer: Buffer, position: types.Position, selected: types.SelectedCompletionInfo | None = None
) -> Cursor | None:
    """The cursor of a request; None for a selected item whose range is not one line around it."""
    offset = buffer.offset(position)
    start, end = offset, offset
    if selected is not None:
        start, end = buffer.offset(selected.range.start), buffer.offset(selected.range.end)
        if not start <= offset <= end or selected.range.start.line != selected.range.end.line:
            return None
    document = buffer.document
    line, column = document.position_at(end)
    text = document.line_text(line)
    cursor = Cursor(document, offset, line, text[:column], text[column:], buffer.encoding)
    if selected is None:
        return cursor
    new = document.text[:start] + selected.text + document.text[end:]
    return replace(
        cursor,
        document=replace(document, text=new),
        offset=start + len(selected.text),
        replaced=end - start,
        selected=selected.text,
    )
