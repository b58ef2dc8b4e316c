"""The edits that follow from a client's changes, kept up to date while it edits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path

from lsprotocol import types

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.errors import GuiderailError
from guiderail.lsp import requests
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.client import ClientState
from guiderail.lsp.worker import CompletionEngine, Job, Priority
from guiderail.monitors.analysis.server import whole
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder, InterruptedSearchError
from guiderail.next_edit.like_places import like_proposals
from guiderail.next_edit.proposal import Consequences, Proposal
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.source_tree import read
from guiderail.next_edit.values import request_at, texts
from guiderail.text.document import Document
from guiderail.text.positions import Encoding, to_units

REST_S = 0.4  # a change counts once nothing has been typed for so long
SETTLED_S = 3.0  # for which a request waits
PATIENT_S = 60.0  # of a client that is not told when there is something new
POLL_S = 0.02
VALUE_S = 20.0  # for which a value is waited for
MOST_STEPS = 6  # of a document's history in which a change may have been made twice
TRIED = 3  # calls for which one value is looked for; the others follow when that one was made
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
        self._history: dict[
            str, deque[Document]
        ] = {}  # what a document held before its last steps without consequences
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
        self._history.pop(uri, None)
        self._earlier.pop(uri, None)
        if uri == self._followed:
            self._take(None, ())

    def changed(self, buffer: Buffer) -> None:
        """A document changed: look for what follows once it rests."""
        self._stop()
        if buffer.uri in self._before:
            self._pass_over_accepted(buffer)
            self._remember_others(buffer)
            self._timer = asyncio.get_running_loop().call_later(REST_S, self._begin, buffer.uri)

    def close(self) -> None:
        """End the search that is on."""
        self._stop()

    async def settled(self, *, is_patient: bool = False) -> None:
        """Wait until the last change was looked at; for an analyser that still reads the project only if patient."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENT_S if is_patient else SETTLED_S):
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
            self._history.pop(self._followed, None)
            self._earlier.pop(self._followed, None)
        self._take(None, ())
        other = next((one for one in self._client.buffers.values() if self._is_changed(one)), None)
        if other is not None:
            self.changed(other)

    def _remember_others(self, changed: Buffer) -> None:
        """Keep what the other documents hold when a change begins: what is typed there later is adapted to it."""
        if changed.uri not in self._earlier and not changed.is_cell:  # what a cell declares, no file uses
            others = self._earlier[changed.uri] = {}
            for one in self._client.buffers.values():
                if one.uri != changed.uri and not one.is_cell:
                    _keep(others, one.path, one.document)

    def _pass_over_accepted(self, buffer: Buffer) -> None:
        """An edit that followed from another document's change, and was made, is no change of a person's own."""
        before = self._before[buffer.uri]
        own = (one for one in self._found if one.document.text == before.text and whole(one.path) == buffer.path)
        if buffer.uri != self._followed and any(one.edit.apply(before.text) == buffer.text for one in own):
            self._before[buffer.uri] = buffer.document

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
        history, is_alone = tuple(self._history.get(uri, ())), self._followed in {None, uri}

        def work() -> Sequence[Proposal] | None:
            old, new = read(before), read(after)
            if new is None:
                return None
            is_followed = old is not None and may_matter(old, new)
            steps = (*history, before) if is_alone else ()
            like = _like_places(steps, after, opened.values(), cancelled.is_set)
            start = bool(is_followed or like)  # for most changes no analyser is started
            analyser = self._client.worker.engine.reference_finder(request, start=start) if root is not None else None
            if analyser is None or root is None:
                return ()
            finder = Finder(analyser, Files(root, opened, earlier), cancelled.is_set)
            every = finder.find(before, after) if is_followed else Consequences()
            write = lambda document, hole: self._written(request, document, hole, cancelled)  # noqa: E731
            is_ready = self._client.worker.health.state == "ready"
            if not every.edits and every.unfilled and is_ready:
                every = finder.filled(replace(every, unfilled=every.unfilled[:TRIED]), write, count=1)
            if not (every.edits or every.left) and like:
                every = finder.like(like[1], like[0])
            if not (every.edits or every.left) and is_ready and is_alone:
                every = finder.repaired(before, after, request.offset, write)
            return every.edits[:MOST]

        try:
            found = await asyncio.to_thread(work)
        except InterruptedSearchError:
            return None
        if found is not None and not found and not cancelled.is_set():
            if before.text != after.text:
                self._history.setdefault(uri, deque(maxlen=MOST_STEPS)).append(before)
            self._before[uri] = after
            self._earlier.pop(uri, None)
        return found

    def _written(
        self, request: CompletionRequest, document: Document, hole: int, cancelled: threading.Event
    ) -> list[str]:
        """What the model writes at a hole; nothing once a request of a person, or the search's end, comes first."""
        asked = request_at(request, document, hole)

        def work(engine: CompletionEngine, stop: Callable[[], bool]) -> Completion:
            return engine.complete(asked, lambda: stop() or cancelled.is_set())

        job = self._client.worker.submit(Job(Priority.PREFETCH, work, request.client))
        try:
            found = job.future.result(VALUE_S)
        except (TimeoutError, CancelledError, GuiderailError):
            job.cancel()
            return []
        return texts(found.suggestions, document, hole) if found.is_whole else []

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


def _like_places(
    texts: Iterable[Document], after: Document, opened: Iterable[Document], cancelled: Callable[[], bool]
) -> tuple[Document, list[Proposal]] | None:
    """The earlier text since which a change was made twice, and the other places that are like these."""
    others = [one for one in opened if one.language == after.language]
    found = ((one, like_proposals(one, after, others, cancelled)) for one in texts)
    return next((pair for pair in found if pair[1]), None)


def _keep(texts: dict[Path, Document], path: Path | None, document: Document) -> None:
    """Add a file's text, unless there is an earlier one."""
    if path is not None:
        texts.setdefault(whole(path), document)


def _position(document: Document, offset: int, encoding: Encoding) -> types.Position:
    line, column = document.position_at(offset)
    return types.Position(line, to_units(document.line_text(line), column, encoding))
