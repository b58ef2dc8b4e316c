"""Decides which request the worker runs: the newest of each document; older ones are answered with nothing at once.

Runs on the event loop. One scheduler serves one client; all share the worker.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.lsp.debounce import Debouncer
from guiderail.lsp.document_state import DocumentState, PendingRequest, Prefetch, Running
from guiderail.lsp.suggestion_cache import Reply, SuggestionCache, candidates
from guiderail.lsp.worker import Job, Priority, Worker


@dataclass
class Counts:
    """How requests were answered; for `guiderail.explain` and the measurements, kept in memory only.

    `secret` counts suggestions that were kept back because they held a token or key (`without_secrets`), `dropped`
    those that were left out, by what was wrong with them.
    """

    asked: int = 0
    remembered: int = 0
    joined: int = 0
    replaced: int = 0
    cancelled: int = 0
    decoded: int = 0
    secret: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def add(self, answer: Completion) -> None:
        """Count an answer that was decoded."""
        self.decoded += 1
        self.secret += answer.withheld
        for kind in (kind for one in answer.dropped if one.verdict for kind in set(one.verdict.kinds)):
            self.dropped[kind] = self.dropped.get(kind, 0) + 1


class Scheduler:
    """Schedules the requests of one client.

    Parameters
    ----------
    worker
        What runs the model.

    Attributes
    ----------
    client
        This client's number.
    busy
        How many requests wait for the worker; `on_busy` is called with the number when it changes.
    """

    _clients = itertools.count()

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.client = next(self._clients)
        self.debouncer = Debouncer()
        self.counts = Counts()
        self.on_busy: Callable[[int], None] = lambda _: None
        self._documents: dict[str, DocumentState] = {}
        self.busy = 0

    async def ask(self, lane: str, request: CompletionRequest, *, debounce: float = 0.0) -> Reply:
        """Answer a request; with nothing once a newer one of this document and lane came.

        Parameters
        ----------
        lane
            Requests replace each other within a lane: ghost text and menu are asked side by side.
        debounce
            Seconds to wait for the next key at most.

        Raises
        ------
        GuiderailError
            The model cannot answer.
        asyncio.CancelledError
            The client cancelled the request; its work ends too.
        """
        self.counts.asked += 1
        document = self._documents.setdefault(request.uri, DocumentState())
        pending, earlier = self._take(document, lane, request)
        try:
            if earlier is None:
                known = document.cache.find(request)
                if known is not None:
                    self.counts.remembered += 1
                    return known
                if await self._is_replaced(pending, self.debouncer.delay(debounce)):
                    return Reply()
            return await self._decoded(document, pending, request, earlier)
        except asyncio.CancelledError:
            self.counts.cancelled += 1
            raise
        finally:
            self._leave(document, lane, pending)

    def document_changed(self, uri: str, now: CompletionRequest | None) -> None:
        """End work that an edit made useless, and encode the new prompt in idle time.

        Parameters
        ----------
        uri
            The document.
        now
            The request that would be made after the edit; None if none would be answered.
        """
        self.debouncer.changed()
        document = self._documents.setdefault(uri, DocumentState())
        document.current = now
        if document.unclaimed and not (now and document.unclaimed.covers(now)):
            document.unclaimed.job.cancel()
            document.unclaimed = None
        if document.prefetch and not (now and _leads_to(now, document.prefetch.request)):
            document.drop_prefetch()
        if document.preparing:
            document.preparing.cancel()
            document.preparing = None
        if now and self.worker.health.state == "ready":
            request = now
            document.preparing = self.worker.submit(
                Job(Priority.PREPARE, lambda engine, cancelled: engine.prepare(request, cancelled), self.client)
            )

    def document_opened(self, request: CompletionRequest) -> None:
        """Read in idle time what the first request of a document will need."""
        document = self._documents.setdefault(request.uri, DocumentState())
        document.warming = self.worker.submit(
            Job(Priority.PREPARE, lambda engine, cancelled: engine.warm(request, cancelled), self.client)
        )

    def prefetch(self, request: CompletionRequest, seconds: float) -> None:
        """Start on a request that is likely to come, after so many seconds, if nothing else happens until then."""
        document = self._documents.setdefault(request.uri, DocumentState())
        if document.prefetch and document.prefetch.request.before == request.before and document.prefetch.running:
            return
        document.drop_prefetch()
        document.prefetch = Prefetch(request)
        timer = asyncio.get_running_loop().call_later(seconds, self._start_prefetch, document, document.prefetch)
        document.prefetch.timer = timer

    def document_closed(self, uri: str) -> None:
        """Forget a document and end its work."""
        document = self._documents.pop(uri, None)
        if document:
            document.end()
        name = (self.client, uri)
        self.worker.submit(Job(Priority.CONTROL, lambda engine, _: engine.forget(name)))

    def forget_answers(self, but: str | None = None) -> None:
        """Forget all answers, `but` those of one document: what they depend on has changed."""
        for uri, document in self._documents.items():
            if uri != but:
                document.cache = SuggestionCache()  # work that goes on adds its answer to the old one
                document.drop_prefetch()

    def stop(self) -> None:
        """End all work and forget all documents: other clients' work goes on."""
        for uri in tuple(self._documents):
            self.document_closed(uri)

    def _take(
        self, document: DocumentState, lane: str, request: CompletionRequest
    ) -> tuple[PendingRequest, Running | None]:
        """Register a request, replacing the lane's last one; return it, and work under way that will answer it."""
        pending = PendingRequest(asyncio.get_running_loop().create_future())
        last, document.pending[lane] = document.pending.get(lane), pending
        earlier = document.running_for(request, last)
        if last:
            if not last.replaced.done():
                last.replaced.set_result(None)
            if last.running and last.running is not earlier:
                last.running.job.cancel()
            last.running = None
        if earlier:
            self.counts.joined += 1
            earlier.job.priority = Priority.REQUEST
            if document.unclaimed is earlier:
                document.unclaimed = None
        return pending, earlier

    def _leave(self, document: DocumentState, lane: str, pending: PendingRequest) -> None:
        """Remove a request; its work goes on if a newer one took it over, or the person typed what it has written."""
        if document.pending.get(lane) is pending:
            del document.pending[lane]
        running = pending.running
        if running is None or running.done.done():
            return
        if document.current and document.current.offset != running.request.offset and running.covers(document.current):
            running.job.priority = Priority.PREFETCH
            document.unclaimed = running
        else:
            running.job.cancel()

    async def _is_replaced(self, pending: PendingRequest, seconds: float) -> bool:
        """Wait so many seconds; whether a newer request came meanwhile."""
        if seconds > 0:
            await asyncio.wait([pending.replaced], timeout=seconds)
        if pending.replaced.done():
            self.counts.replaced += 1
        return pending.replaced.done()

    async def _decoded(
        self, document: DocumentState, pending: PendingRequest, request: CompletionRequest, earlier: Running | None
    ) -> Reply:
        """The answer of work under way, or of new work."""
        if earlier is not None:
            found = await self._outcome(pending, earlier, request)
            if found.candidates or pending.replaced.done():
                return found
            known = document.cache.find(request)
            if known is not None:
                return known
        return await self._outcome(pending, self._submit(document, request, Priority.REQUEST), request)

    async def _outcome(self, pending: PendingRequest, running: Running, request: CompletionRequest) -> Reply:
        """The answer of one piece of work; nothing once the request was replaced, or the work was cancelled."""
        pending.running = running
        self._mark_busy(1)
        try:
            await asyncio.wait([pending.replaced, running.done], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._mark_busy(-1)
        if pending.replaced.done():
            self.counts.replaced += 1
            return Reply()
        answer = Completion([]) if running.done.cancelled() else running.done.result()
        if answer.is_stand_in and request.by_hand:  # work that an automatic request began
            return Reply()
        if not answer.is_whole:
            return Reply()
        is_fitted = request.after == running.request.after
        return Reply(candidates(answer, request.typed_since(running.request) or "", is_fitted=is_fitted), answer)

    def _submit(self, document: DocumentState, request: CompletionRequest, priority: Priority) -> Running:
        written, began, cache = TextStream(), 0.0, document.cache

        def work(engine, cancelled) -> Completion:  # on the worker's thread
            nonlocal began
            began = time.monotonic()
            return engine.complete(request, cancelled, written)

        job = Job(priority, work, self.client)
        running = Running(request, job, written, asyncio.wrap_future(job.future))

        def finish(done: asyncio.Future[Completion]) -> None:
            if not done.cancelled() and done.exception() is None and done.result().is_whole and not job.cancelled:
                self.counts.add(done.result())
                self.debouncer.answered(time.monotonic() - began)
                cache.add(request, done.result())

        running.done.add_done_callback(finish)
        self.worker.submit(job)
        return running

    def _start_prefetch(self, document: DocumentState, prefetch: Prefetch) -> None:
        request = prefetch.request
        if document.prefetch is not prefetch or self.worker.health.state != "ready":
            return
        if document.cache.find(request) is None:
            prefetch.running = self._submit(document, request, Priority.PREFETCH)

    def _mark_busy(self, step: int) -> None:
        self.busy += step
        self.on_busy(self.busy)


def _leads_to(now: CompletionRequest, later: CompletionRequest) -> bool:
    """Whether typing on from `now` can still arrive at `later`."""
    return later.typed_since(now) is not None and later.after == now.after
