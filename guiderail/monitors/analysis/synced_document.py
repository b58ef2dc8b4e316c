"""The text of a file as a language server holds it, kept up to date by incremental changes."""

from __future__ import annotations

from lsprotocol import types as lsp

from guiderail.text.document import Document
from guiderail.text.edit import diff
from guiderail.text.positions import Encoding, to_column, to_units


class SyncedDocument:
    """One open file of a server, kept up to date by incremental changes.

    Parameters
    ----------
    uri
        The file.
    text
        What it holds.
    encoding
        The encoding whose code units columns count in this conversation.
    """

    def __init__(self, uri: str, text: str, encoding: Encoding = "utf-16") -> None:
        self.uri = uri
        self.version = 1
        self._document = Document(text)
        self._encoding: Encoding = encoding

    @property
    def text(self) -> str:
        """What the file holds."""
        return self._document.text

    def offset(self, line: int, column: int) -> int:
        """The offset (code points) of a position in the present text; the nearest one if there is no such.

        Raises
        ------
        TypeError
            The numbers are none: they come from outside.
        """
        if type(line) is not int or type(column) is not int:
            raise TypeError("no position")
        document, line, column = self._document, max(0, line), max(0, column)
        if line >= document.line_count:
            return len(document.text)
        start = document.line_start(line)
        text = document.text[start : min(document.line_end(line), start + column)]  # of a long line only what matters
        return start + to_column(text, column, self._encoding)

    def position(self, offset: int) -> lsp.Position:
        """The position of an offset (code points) in the present text."""
        line, column = self._document.position_at(offset)
        start = self._document.line_start(line)
        before = self._document.text[start : start + column]
        return lsp.Position(line, to_units(before, column, self._encoding))

    def change(self, text: str) -> lsp.DidChangeTextDocumentParams | None:
        r"""The change that makes the file hold `text`, and remember it; None if it does already."""
        old = self._document.text
        if text == old:
            return None
        edit = diff(old, text)
        # No position lies inside \r\n: a change that begins or ends there takes the whole line end.
        start, end, new = edit.start, edit.end, edit.text
        if old[start - 1 : start + 1] == "\r\n" and start:
            start, new = start - 1, "\r" + new
        if old[end - 1 : end + 1] == "\r\n" and end:
            end, new = end + 1, new + "\n"
        change = lsp.TextDocumentContentChangePartial(lsp.Range(self.position(start), self.position(end)), new)
        self._document = self._document.edited(edit)
        self.version += 1
        return lsp.DidChangeTextDocumentParams(lsp.VersionedTextDocumentIdentifier(self.version, self.uri), [change])
