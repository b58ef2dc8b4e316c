"""Handles open notebooks: each cell is a document, and which of them belong together is kept in order."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types

from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.handlers.documents import DocumentHandlers


@dataclass(eq=False)
class NotebookHandlers:
    """Keeps one client's notebooks in sync.

    Parameters
    ----------
    client, connection
        The client's state, and the way to it.
    documents
        Takes the cells' texts.
    """

    client: ClientState
    connection: Connection
    documents: DocumentHandlers

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(types.NOTEBOOK_DOCUMENT_DID_OPEN, self.did_open)
        self.connection.on(types.NOTEBOOK_DOCUMENT_DID_CHANGE, self.did_change)
        self.connection.on(types.NOTEBOOK_DOCUMENT_DID_CLOSE, self.did_close)

    def did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Take a notebook and the texts of its cells."""
        self.client.notebooks.open(params.notebook_document.uri, params.notebook_document.cells)
        for item in params.cell_text_documents:
            self._open(item, params.notebook_document.uri)

    def did_change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Follow cells that come, go and move, and what is typed in them."""
        notebook = self.client.notebooks.get(params.notebook_document.uri)
        changed = params.change.cells
        if notebook is None or changed is None:
            return
        if changed.structure is not None:
            moved = changed.structure.array
            notebook.splice(moved.start, moved.delete_count, [cell.document for cell in moved.cells or ()])
            for item in changed.structure.did_open or ():
                self._open(item, notebook.uri)
            for closed in changed.structure.did_close or ():
                self.documents.did_close(types.DidCloseTextDocumentParams(closed))
        edited = changed.text_content or ()
        for number, one in enumerate(edited, 1):
            own = types.DidChangeTextDocumentParams(one.document, one.changes)
            self.documents.did_change(own, is_last=number == len(edited))

    def did_close(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget a notebook and its cells."""
        self.client.notebooks.close(params.notebook_document.uri)
        for cell in params.cell_text_documents:
            self.documents.did_close(types.DidCloseTextDocumentParams(cell))

    def _open(self, item: types.TextDocumentItem, notebook: str) -> None:
        self.documents.did_open(types.DidOpenTextDocumentParams(item), notebook)
