"""Handles files and folders that were written, moved or deleted, by the editor or by other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types

from guiderail.lsp.buffer import path_of
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.disk_changes import is_scanned, run_scan
from guiderail.lsp.file_watching import FOLDERS, matters
from guiderail.lsp.handlers.configuration import ConfigurationHandlers
from guiderail.lsp.status_publisher import StatusPublisher


@dataclass(eq=False)
class FileHandlers:
    """Invalidates what is cached of changed files."""

    client: ClientState
    connection: Connection
    status: StatusPublisher
    configuration: ConfigurationHandlers

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(types.TEXT_DOCUMENT_DID_SAVE, self.did_save, types.SaveOptions(include_text=False))
        self.connection.on(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, self.did_change_watched)
        self.connection.on(types.WORKSPACE_DID_DELETE_FILES, self.did_delete, FOLDERS)
        self.connection.on(types.WORKSPACE_DID_RENAME_FILES, self.did_rename, FOLDERS)

    def did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        """A document was saved; of a client that does not watch files, others may have changed unnoticed."""
        uri = params.text_document.uri
        self.client.edited(uri, None)
        self._changed(uri)
        self.status.document_touched(uri)
        saved = path_of(uri)
        root = self.client.policy.root_of(saved)
        if root is not None and is_scanned(root, self.connection):
            run_scan(self.connection, self.client.disk.scan(root), lambda found: self._found(saved, found))

    def _found(self, saved: Path | None, found: list[Path]) -> None:
        """Act on what else changed around a saved file: another branch, say."""
        if others := [path.as_uri() for path in found if path != saved]:
            self._changed(*others)

    def did_change_watched(self, params: types.DidChangeWatchedFilesParams) -> None:
        """Files changed that the client was asked to watch."""
        knows, folder_of = self.client.worker.engine.knows, self.client.policy.folder_of
        changes = [(change.uri, path_of(change.uri), change.type) for change in params.changes]
        uris = [uri for uri, path, kind in changes if path and matters(path, folder_of(path), kind, knows)]
        if uris:
            self._changed(*uris)

    def did_delete(self, params: types.DeleteFilesParams) -> None:
        """Folders were deleted in the editor."""
        self._changed(*(file.uri for file in params.files))

    def did_rename(self, params: types.RenameFilesParams) -> None:
        """Folders were renamed in the editor."""
        self._changed(*(uri for file in params.files for uri in (file.old_uri, file.new_uri)))

    def _changed(self, *uris: str) -> None:
        client = self.client
        uris = tuple(dict.fromkeys(uris))  # two patterns match code that comes or goes, and each of them tells
        paths = [path for uri in uris if (path := path_of(uri)) is not None]
        client.worker.engine.files_changed(*paths)
        client.policy.refresh()
        around = {folder for root in client.folders for folder in (root, *root.parents)}
        if any(path.name == "pyproject.toml" or path in around for path in paths):
            self.configuration.reload()
        # Names may be gone that other files suggest; what is suggested in a file does not hang on its own copy on disk.
        client.scheduler.forget_answers(but=uris[0] if len(uris) == 1 else None)
