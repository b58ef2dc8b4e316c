"""The edits that follow from a client's changes, kept up to date while it edits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types

from guiderail.lsp import requests
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.client import ClientState
from guiderail.monitors.analysis.server import whole
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder, InterruptedSearchError
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.source_tree import read
from guiderail.text.document import Document
from guiderail.text.positions import Encoding, to_units

REST_S = 0.4  # a change counts once nothing has been typed for so long
SETTLED_S = 3.0  # for which a request waits
POLL_S = 0.02
MOST = 5000  # proposals at once; the others follow when these were made


@dataclass(frozen=True, slots=True)
class Offer:
    """A proposal as a client gets it."""

    proposal: Proposal
    uri: str
    version: int | None  # None of a file that is not open
    encoding: Encoding

    @property
    def range(self) -> types.Range:
        """What it replaces; of the one that is shown alone: each takes a look at its whole line."""
        document, edit = self.proposal.document, self.proposal.edit
        return types.Range(*(_position(document, at, self.encoding) for at in (edit.start, edit.end)))


class NextEdits:
    """The proposals of one client.

    A change is followed from the text before it until nothing follows any more, or the person wants none of it: a name
    that is typed in three bursts is one rename.

    Parameters
    ----------
    client
        The client's state.
    on_change
        Called when there are other proposals than before.
    """

    def __init__(self, client: ClientState, on_change: Callable[[], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._before: dict[str, Document] = {}  # the text from which changes of a document are followed
        self._followed: str | None = None  # the document whose change has consequences
        self._found: Sequence[Proposal] = ()
        self._earlier: dict[str, dict[Path, Document]] = {}  # of a changed document: what others held before that
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled = threading.Event()  # of the search that is on
        self._searching: asyncio.Task[None] | None = None

    def opened(self, buffer: Buffer) -> None:
        """Follow a document's changes."""
        self._before[buffer.uri] = buffer.document
        for others in self._earlier.values():
            _keep(others, buffer.path, buffer.document)

    def closed(self, uri: str) -> None:
        """Follow a document no more."""
        self._before.pop(uri, None)
        self._earlier.pop(uri, None)
        if uri == self._followed:
            self._take(None, ())

    def changed(self, buffer: Buffer) -> None:
        """A document changed: look for what follows once it rests."""
        self._stop()
        if buffer.uri in self._before:
            self._remember_others(buffer)
            self._timer = asyncio.get_running_loop().call_later(REST_S, self._begin, buffer.uri)

    def close(self) -> None:
        """End the search that is on."""
        self._stop()

    async def settled(self) -> None:
        """Wait until the last change was looked at, but not for an analyser that still reads the project."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_S):
                while self._timer is not None or self._searching is not None:
                    await asyncio.sleep(POLL_S)

    def offers(self) -> list[Offer]:
        """The proposals for texts that are still as they were."""
        by_path = {whole(one.path): one for one in self._client.buffers.values() if one.path is not None}
        documents = {id(one.document): one.document for one in self._found}  # few, of thousands of proposals
        buffers = {key: by_path.get(whole(one.path)) if one.path else None for key, one in documents.items()}
        is_now = {key: (one := buffers[key]) is None or one.text == documents[key].text for key in documents}
        return [self._offer(one, buffers[id(one.document)]) for one in self._found if is_now[id(one.document)]]

    def dismiss(self) -> None:
        """Propose nothing more of what follows from this change, but of others."""
        if self._followed in self._client.buffers:
            self._before[self._followed] = self._client.buffers[self._followed].document
            self._earlier.pop(self._followed, None)
        self._take(None, ())
        other = next((one for one in self._client.buffers.values() if self._is_changed(one)), None)
        if other is not None:
            self.changed(other)

    def _remember_others(self, changed: Buffer) -> None:
        """Keep what the other documents hold when a change begins: what is typed there later is adapted to it."""
        if changed.uri not in self._earlier:
            others = self._earlier[changed.uri] = {}
            for one in self._client.buffers.values():
                if one.uri != changed.uri:
                    _keep(others, one.path, one.document)

    def _is_changed(self, buffer: Buffer) -> bool:
        before = self._before.get(buffer.uri)
        return before is not None and before.text != buffer.document.text

    def _offer(self, proposal: Proposal, buffer: Buffer | None) -> Offer:
        uri, version = (buffer.uri, buffer.version) if buffer else (proposal.path.as_uri(), None)
        return Offer(proposal, uri, version, self._client.encoding)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._cancelled.set()

    def _begin(self, uri: str) -> None:
        self._timer, self._cancelled = None, threading.Event()
        self._searching = asyncio.get_running_loop().create_task(self._look(uri, self._cancelled))

    async def _look(self, uri: str, cancelled: threading.Event) -> None:
        """Look for what follows from the last change, else from the one that is followed."""
        try:
            for changed in dict.fromkeys(filter(None, (uri, self._followed))):
                found = await self._search(changed, cancelled)
                if cancelled.is_set() or found is None:
                    return
                if found or changed == self._followed:
                    self._take(changed if found else None, found)
                if found:
                    return
        finally:
            if self._cancelled is cancelled:
                self._searching = None

    async def _search(self, uri: str, cancelled: threading.Event) -> Sequence[Proposal] | None:
        """What follows from a document's change; None if that is not known yet."""
        buffer, before = self._client.buffers.get(uri), self._before.get(uri)
        if buffer is None or before is None or not self._is_wanted(buffer):
            return ()
        after = buffer.document
        request = requests.after_edit(self._client, buffer)
        root = self._client.policy.root_of(buffer.path)
        buffers = (one for one in self._client.buffers.values() if self._may_change(one))
        opened = {whole(one.path): one.document for one in buffers if one.path is not None}
        earlier = dict(self._earlier.get(uri, {})).get

        def work() -> Sequence[Proposal] | None:
            old, new = read(before), read(after)
            if new is None:
                return None
            if old is None or not may_matter(old, new):  # most changes: no analyser is started for them
                return ()
            analyser = self._client.worker.engine.reference_finder(request) if root is not None else None
            if analyser is None or root is None:
                return ()
            return Finder(analyser, Files(root, opened, earlier), cancelled.is_set).find(before, after).edits[:MOST]

        try:
            found = await asyncio.to_thread(work)
        except InterruptedSearchError:
            return None
        if found is not None and not found and not cancelled.is_set():
            self._before[uri] = after
            self._earlier.pop(uri, None)
        return found

    def _is_wanted(self, buffer: Buffer) -> bool:
        policy = self._client.policy
        return policy.preferences_for(buffer.path).next_edits and not policy.disabled_reason(buffer)

    def _may_change(self, buffer: Buffer) -> bool:
        return (
            buffer.path is not None and not buffer.is_out_of_sync and not self._client.policy.exclusion_reason(buffer)
        )

    def _take(self, followed: str | None, found: Sequence[Proposal]) -> None:
        is_other = bool(found or self._found)
        if followed is not None:
            for one in found:
                _keep(self._earlier.setdefault(followed, {}), one.path, one.document)
        self._followed, self._found = followed, found
        if is_other:
            self._on_change()


def _keep(texts: dict[Path, Document], path: Path | None, document: Document) -> None:
    """Add a file's text, unless there is an earlier one."""
    if path is not None:
        texts.setdefault(whole(path), document)


def _position(document: Document, offset: int, encoding: Encoding) -> types.Position:
    line, column = document.position_at(offset)
    return types.Position(line, to_units(document.line_text(line), column, encoding))
