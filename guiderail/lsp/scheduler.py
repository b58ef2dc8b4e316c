"""Which request the worker runs: the newest of each document; every other one is answered, and ends, at once.

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
from guiderail.lsp.memory import Kept, Memory, Offer, offers, same_after
from guiderail.lsp.pace import Pace
from guiderail.lsp.worker import Job, Rank, Worker


@dataclass(eq=False)
class Running:
    """A wish on its way through the worker.

    Attributes
    ----------
    written
        What the model has written of it so far.
    done
        The answer, on the event loop's side.
    """

    wish: CompletionRequest
    job: Job
    written: TextStream
    done: asyncio.Future[Completion]

    def covers(self, wish: CompletionRequest) -> bool:
        """Whether this will answer `wish` too: since it began, only what the model has written was typed."""
        if self.job.cancelled or self._failed or self.wish.n < wish.n or self.wish.settings != wish.settings:
            return False
        typed = wish.typed_since(self.wish)
        return typed is not None and self.written.text.startswith(typed) and same_after(self.wish.after, wish.after)

    @property
    def _failed(self) -> bool:
        """Whether it ended without a whole answer."""
        if not self.done.done():
            return False
        return self.done.cancelled() or self.done.exception() is not None or not self.done.result().is_whole


@dataclass(eq=False)
class Turn:
    """A request's turn; it ends when a newer one takes its place."""

    replaced: asyncio.Future[None]
    running: Running | None = None


@dataclass
class Counts:
    """How requests were answered; for `guiderail.explain` and the measurements, kept in memory only.

    `secret` counts suggestions that were kept back because they held a token or key (`without_secrets`).
    """

    asked: int = 0
    remembered: int = 0
    joined: int = 0
    replaced: int = 0
    cancelled: int = 0
    decoded: int = 0
    secret: int = 0


@dataclass
class _Ahead:
    """A question that may be asked next, and the timer that will ask it."""

    wish: CompletionRequest
    timer: asyncio.TimerHandle | None = None
    running: Running | None = None


@dataclass
class _Desk:
    """What belongs to one document."""

    memory: Memory = field(default_factory=Memory)
    turns: dict[str, Turn] = field(default_factory=dict)
    now: CompletionRequest | None = None  # what would be asked after the last edit
    loose: Running | None = None  # decoding on, though nobody waits for it now
    ahead: _Ahead | None = None
    preparing: Job | None = None
    opening: Job | None = None


class Scheduler:
    """The requests of one client.

    Parameters
    ----------
    worker
        What runs the model.

    Attributes
    ----------
    client
        This client's number.
    """

    _clients = itertools.count()

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.client = next(self._clients)
        self.pace = Pace()
        self.counts = Counts()
        self.on_busy: Callable[[int], None] = lambda _: None
        self._desks: dict[str, _Desk] = {}
        self.busy = 0  # requests that wait for the worker

    async def ask(self, lane: str, wish: CompletionRequest, *, debounce: float = 0.0) -> list[Offer]:
        """What to offer for a wish; nothing once a newer one of this document and lane came.

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
        desk = self._desks.setdefault(wish.uri, _Desk())
        turn, earlier = self._take(desk, lane, wish)
        try:
            if earlier is None:
                known = desk.memory.find(wish.before, wish.after, wish.n, by_hand=wish.by_hand)
                if known is not None:
                    self.counts.remembered += 1
                    return known
                if await self._is_replaced(turn, self.pace.delay(debounce)):
                    return []
            return await self._decoded(desk, turn, wish, earlier)
        except asyncio.CancelledError:
            self.counts.cancelled += 1
            raise
        finally:
            self._leave(desk, lane, turn)

    def changed(self, uri: str, now: CompletionRequest | None) -> None:
        """A document was edited: end what became untrue, and encode its new prompt when there is time.

        Parameters
        ----------
        uri
            The document.
        now
            What a request after the edit would ask; None if none would be answered.
        """
        self.pace.changed()
        desk = self._desks.setdefault(uri, _Desk())
        desk.now = now
        if desk.loose and not (now and desk.loose.covers(now)):
            desk.loose.job.cancel()
            desk.loose = None
        if desk.ahead and not (now and _leads_to(now, desk.ahead.wish)):
            self._drop_ahead(desk)
        if desk.preparing:
            desk.preparing.cancel()
            desk.preparing = None
        if now and self.worker.health.state == "ready":
            wish = now
            desk.preparing = self.worker.submit(
                Job(Rank.PREPARE, lambda engine, cancelled: engine.prepare(wish, cancelled))
            )

    def opened(self, wish: CompletionRequest) -> None:
        """A document was opened: read in idle time what its first question will need."""
        desk = self._desks.setdefault(wish.uri, _Desk())
        desk.opening = self.worker.submit(Job(Rank.PREPARE, lambda engine, cancelled: engine.warm(wish, cancelled)))

    def ahead(self, wish: CompletionRequest, seconds: float) -> None:
        """Ask a question that is likely to come, after a while, if nothing else happens until then."""
        desk = self._desks.setdefault(wish.uri, _Desk())
        if desk.ahead and desk.ahead.wish.before == wish.before and desk.ahead.running:
            return
        self._drop_ahead(desk)
        desk.ahead = _Ahead(wish)
        timer = asyncio.get_running_loop().call_later(seconds, self._ask_ahead, desk, desk.ahead)
        desk.ahead.timer = timer

    def closed(self, uri: str) -> None:
        """Forget a document."""
        desk = self._desks.pop(uri, None)
        if desk:
            self._end(desk)
        name = (self.client, uri)
        self.worker.submit(Job(Rank.CONTROL, lambda engine, _: engine.forget(name)))

    def forget_answers(self, but: str | None = None) -> None:
        """Answer nothing from memory any more, `but` in one document: what decides of answers has changed.

        Work that goes on is remembered where nobody looks any more.
        """
        for uri, desk in self._desks.items():
            if uri != but:
                desk.memory = Memory()
                self._drop_ahead(desk)

    def stop(self) -> None:
        """End all work and forget all documents: other clients' work goes on."""
        for uri in tuple(self._desks):
            self.closed(uri)

    def _take(self, desk: _Desk, lane: str, wish: CompletionRequest) -> tuple[Turn, Running | None]:
        """Begin a turn, ending the lane's last one; with work that goes on for the new one."""
        turn = Turn(asyncio.get_running_loop().create_future())
        last, desk.turns[lane] = desk.turns.get(lane), turn
        candidates = [last.running if last else None, desk.loose, desk.ahead.running if desk.ahead else None]
        earlier = next((one for one in candidates if one and one.covers(wish)), None)
        if last:
            if not last.replaced.done():
                last.replaced.set_result(None)
            if last.running and last.running is not earlier:
                last.running.job.cancel()
            last.running = None
        if earlier:
            self.counts.joined += 1
            earlier.job.rank = Rank.REQUEST
            if desk.loose is earlier:
                desk.loose = None
        return turn, earlier

    def _leave(self, desk: _Desk, lane: str, turn: Turn) -> None:
        """End a turn; its work goes on only if a newer turn took it, or a key was typed that it foresaw."""
        if desk.turns.get(lane) is turn:
            del desk.turns[lane]
        running = turn.running
        if running is None or running.done.done():
            return
        if desk.now and desk.now.offset != running.wish.offset and running.covers(desk.now):
            running.job.rank = Rank.AHEAD
            desk.loose = running
        else:
            running.job.cancel()

    def _end(self, desk: _Desk) -> None:
        for turn in desk.turns.values():
            if not turn.replaced.done():
                turn.replaced.set_result(None)
            if turn.running:
                turn.running.job.cancel()
        for job in (desk.loose.job if desk.loose else None, desk.preparing, desk.opening):
            if job:
                job.cancel()
        self._drop_ahead(desk)

    def _drop_ahead(self, desk: _Desk) -> None:
        if desk.ahead and desk.ahead.timer:
            desk.ahead.timer.cancel()
        if desk.ahead and desk.ahead.running and desk.ahead.running.job.rank != Rank.REQUEST:
            desk.ahead.running.job.cancel()
        desk.ahead = None

    async def _is_replaced(self, turn: Turn, seconds: float) -> bool:
        """Wait; whether a newer request came meanwhile."""
        if seconds > 0:
            await asyncio.wait([turn.replaced], timeout=seconds)
        if turn.replaced.done():
            self.counts.replaced += 1
        return turn.replaced.done()

    async def _decoded(self, desk: _Desk, turn: Turn, wish: CompletionRequest, earlier: Running | None) -> list[Offer]:
        """The answer of the work that goes on already, or of new work."""
        if earlier is not None:
            found = await self._outcome(turn, earlier, wish)
            if found or turn.replaced.done():
                return found
            known = desk.memory.find(wish.before, wish.after, wish.n, by_hand=wish.by_hand)
            if known is not None:
                return known
        return await self._outcome(turn, self._submit(desk, wish, Rank.REQUEST), wish)

    async def _outcome(self, turn: Turn, running: Running, wish: CompletionRequest) -> list[Offer]:
        """What work leads to; nothing once the turn is over, or the work was given up."""
        turn.running = running
        self._mark_busy(1)
        try:
            await asyncio.wait([turn.replaced, running.done], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._mark_busy(-1)
        if turn.replaced.done():
            self.counts.replaced += 1
            return []
        answer = Completion([]) if running.done.cancelled() else running.done.result()
        if answer.is_stand_in and wish.by_hand:  # work that an automatic request began
            return []
        return offers(answer, wish.typed_since(running.wish) or "") if answer.is_whole else []

    def _submit(self, desk: _Desk, wish: CompletionRequest, rank: Rank) -> Running:
        written, began, memory = TextStream(), 0.0, desk.memory

        def work(engine, cancelled) -> Completion:  # on the worker's thread
            nonlocal began
            began = time.monotonic()
            return engine.complete(wish, cancelled, written)

        job = Job(rank, work)
        running = Running(wish, job, written, asyncio.wrap_future(job.future))

        def finish(done: asyncio.Future[Completion]) -> None:
            if not done.cancelled() and done.exception() is None and done.result().is_whole and not job.cancelled:
                self.counts.decoded += 1
                self.counts.secret += done.result().withheld
                self.pace.answered(time.monotonic() - began)
                memory.keep(Kept(wish.before, wish.after, done.result(), wish.n))

        running.done.add_done_callback(finish)
        self.worker.submit(job)
        return running

    def _ask_ahead(self, desk: _Desk, ahead: _Ahead) -> None:
        wish = ahead.wish
        if desk.ahead is not ahead or self.worker.health.state != "ready":
            return
        if desk.memory.find(wish.before, wish.after, wish.n) is None:
            ahead.running = self._submit(desk, wish, Rank.AHEAD)

    def _mark_busy(self, step: int) -> None:
        self.busy += step
        self.on_busy(self.busy)


def _leads_to(now: CompletionRequest, later: CompletionRequest) -> bool:
    """Whether typing on from `now` can still arrive at `later`."""
    return later.typed_since(now) is not None and later.after == now.after
