"""Handles open documents, and keeps their text in sync with the client's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass

from lsprotocol import types

from guiderail.engine.free_memory import is_long
from guiderail.engine.notices import notices
from guiderail.engine.request import CompletionRequest
from guiderail.lsp import requests
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.client import ClientState
from guiderail.lsp.connection import Connection
from guiderail.lsp.disk_changes import is_scanned, run_scan
from guiderail.lsp.next_edits import NextEdits
from guiderail.lsp.status_publisher import StatusPublisher

log = logging.getLogger(__name__)

SLICE_S = 0.02  # for which a message with many changes has the event loop to itself

# As a member of an object: within a text its quotes would be escaped.
_URI = re.compile(rb'"uri"\s*+:\s*+("(?:[^"\\]++|\\.)*+")', re.DOTALL)


@dataclass(eq=False)
class DocumentHandlers:
    """Keeps one client's open documents in sync, and stops suggesting in those that may be out of sync.

    Parameters
    ----------
    client, connection, status
        The client's state, the way to it, and its status.
    warn
        Shows the person a problem, once.
    next_edits
        What follows from the changes.
    """

    client: ClientState
    connection: Connection
    status: StatusPublisher
    _: KW_ONLY
    warn: Callable[[str], None]
    next_edits: NextEdits

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(types.TEXT_DOCUMENT_DID_OPEN, self.did_open)
        self.connection.on(types.TEXT_DOCUMENT_DID_CHANGE, self.did_change)
        self.connection.on(types.TEXT_DOCUMENT_DID_CLOSE, self.did_close)
        self.connection.on_unread = self.text_unread

    def did_open(self, params: types.DidOpenTextDocumentParams, notebook: str = "") -> None:
        """Take a document's text, and read in idle time what its first request will need.

        A cell's `notebook` says where it is. For cells nothing is read: each one's text is that of the whole notebook.
        """
        client, item = self.client, params.text_document
        client.scheduler.document_closed(item.uri)
        buffer = Buffer(item.uri, str(item.language_id), item.text, item.version, client.encoding, notebook)
        client.buffers[item.uri] = buffer
        self.next_edits.opened(buffer)
        self.status.document_touched(item.uri)
        self._remember_disk(buffer)
        self.connection.spawn(self._notice(buffer))
        is_wanted = not notebook and not client.policy.disabled_reason(buffer)
        if is_wanted and client.worker.health.state in {"loading", "ready"}:
            client.scheduler.document_opened(requests.after_edit(client, buffer))

    async def _notice(self, buffer: Buffer) -> None:
        """Say what keeps a document from being checked, once the settings are known."""
        await self.client.configured.wait()
        policy = self.client.policy
        if not policy.disabled_reason(buffer):
            settings = policy.preferences_for(buffer.path).settings
            for notice in notices(settings, buffer.language, "Choose its language in the editor"):
                self.warn(notice)

    def _remember_disk(self, buffer: Buffer) -> None:
        """See the files around a document, if the client will not tell what changes there."""
        root = self.client.policy.root_of(buffer.path)
        disk = self.client.disk
        if root is not None and not disk.knows(root) and is_scanned(root, self.connection):
            run_scan(self.connection, disk.scan(root), lambda _: None)

    def did_change(self, params: types.DidChangeTextDocumentParams, *, is_last: bool = True) -> None:
        """Apply changes; many of them bit by bit, while the next message waits.

        Of the cells that one message changes, only the last one may be where a person types.
        """
        buffer = self.client.buffers.get(params.text_document.uri)
        if buffer is None:
            log.warning("a change of a document that is not open")
            return
        was_out_of_sync = buffer.is_out_of_sync
        steps = buffer.apply_stepwise(params.content_changes, params.text_document.version)
        if _run_slice(steps):
            self._changed(buffer, was_out_of_sync, is_last)
        else:
            self.connection.run_exclusively(self._change_on(buffer, steps, was_out_of_sync, is_last))

    def did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        client, uri = self.client, params.text_document.uri
        buffer = client.buffers.pop(uri, None)
        client.policy.file_overrides.pop(uri, None)
        client.scheduler.document_closed(uri)
        client.edited(uri, None)
        self.next_edits.closed(uri)
        client.suggestions.forget_text(uri)
        client.followed.forget(uri)
        if buffer and is_long([buffer.text]):
            client.worker.release_memory()
        if self.status.active_uri == uri:
            self.status.set_active(None)

    def text_unread(self, method: str, body: bytes) -> None:
        """Mark the documents as out of sync that an unreadable message names."""
        buffers, uris = self.client.buffers, _uris_in(body)
        named = [buffer for uri, buffer in buffers.items() if uri in uris]
        if not named and method in {types.TEXT_DOCUMENT_DID_CHANGE, types.NOTEBOOK_DOCUMENT_DID_CHANGE}:
            named = list(buffers.values())
        self._mark_out_of_sync(*named)

    async def _change_on(self, buffer: Buffer, steps: Iterator[None], was_out_of_sync: bool, is_last: bool) -> None:
        """Apply the rest of a message's changes, and yield to the event loop in between."""
        while not _run_slice(steps):
            await asyncio.sleep(0)
        self._changed(buffer, was_out_of_sync, is_last)

    def _changed(self, buffer: Buffer, was_out_of_sync: bool, is_last: bool) -> None:
        """Act on a document's new text."""
        client = self.client
        if not buffer.is_out_of_sync:
            if buffer.inserted and is_last:
                _, cursor = client.placed(buffer, buffer.document, buffer.cursor)
                client.suggestions.inserted(buffer.uri, cursor - len(buffer.inserted), buffer.inserted)
            self.status.document_touched(buffer.uri)
            is_hidden = buffer.is_cell or client.policy.exclusion_reason(buffer)  # no file imports a cell
            client.edited(buffer.uri, None if is_hidden else buffer.document)
            client.scheduler.document_changed(buffer.uri, self._next_request(buffer) if is_last else None)
            self.next_edits.changed(buffer)
        elif not was_out_of_sync:
            self._mark_out_of_sync(buffer)

    def _next_request(self, buffer: Buffer) -> CompletionRequest | None:
        """The request that is likely to come next; None where none would be answered."""
        policy = self.client.policy
        if policy.disabled_reason(buffer):
            return None
        request = requests.after_edit(self.client, buffer)
        return None if policy.place_reason(request.document, request.offset) else request

    def _mark_out_of_sync(self, *buffers: Buffer) -> None:
        """Suggest nothing in documents that may be out of sync, until their whole text comes."""
        for buffer in buffers:
            log.warning("a change of a document cannot be read: no suggestions there until it is opened again")
            buffer.is_out_of_sync = True
            self.client.edited(buffer.uri, None)
            self.client.scheduler.document_closed(buffer.uri)
            self.next_edits.closed(buffer.uri)
        self.status.document_touched(buffers[0].uri if len(buffers) == 1 else self.status.active_uri)


def _run_slice(steps: Iterator[None]) -> bool:
    """Run steps for `SLICE_S`; whether there are no more."""
    end = time.monotonic() + SLICE_S
    return all(time.monotonic() < end for _ in steps)


def _uris_in(body: bytes) -> set[str]:
    """The URIs that a message names, which may not be JSON; characters and their escapes are read alike."""
    found: set[str] = set()
    for literal in _URI.findall(body):
        with contextlib.suppress(ValueError):
            found.add(json.loads(literal.decode("utf-8", "surrogateescape")))
    return found
