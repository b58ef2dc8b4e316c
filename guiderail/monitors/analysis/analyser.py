"""An analyser on a language server: starts and restarts it, queues and caches questions, never blocks the caller."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import logging
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.loop import shared
from guiderail.monitors.analysis.priority_lock import PriorityLock, Ticket
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.analysis.server import Server, whole
from guiderail.monitors.analysis.unsaved import Unsaved, UnsavedDocuments, as_unsaved, besides

log = logging.getLogger(__name__)
FIRST_ANSWER_S = 60.0  # reading a project for the first time takes long
ANSWER_S = 10.0  # a server that needs longer is hung: it is ended and started anew
BACK_OFF_S = (0.5, 2.0, 8.0, 30.0, 120.0)  # pauses before the first, second, … start after a failure
KEPT_ANSWERS = 256
KEPT_BYTES = 64 << 20  # of the messages that they were read from
MOST_WAITING = 16  # questions that wait for a busy server: what all monitors want to know of a few places
STOP_S = 2.0
# Pyrefly reads a changed file in the background, and answers from the old one until it has.
SETTLE_S = 2.0

T = TypeVar("T")
Key = tuple[str, Path, bytes, int, tuple[int, ...]]  # request, file, digest, offset, editions of unsaved documents
State = Literal["idle", "starting", "ready", "failed", "stopped"]


class Analyser(Protocol):
    """Answers questions about files."""

    @property
    def name(self) -> str:
        """Its name in settings and reports."""
        ...

    def ask(self, request: Request[T], question: Question) -> Future[T]:
        """The answer, when it comes; NoAnswer in the future if there will be none."""
        ...

    def attend(self) -> None:
        """Give later questions priority over those waiting: the cursor has moved elsewhere."""
        ...


class ServerAnalyser:
    """A language server as an analyser.

    It starts at the first question, or at `warm_up`. After a crash, a hang or garbage it is started anew, with pauses
    that grow; questions meanwhile are answered at once, by NoAnswer.

    Parameters
    ----------
    server
        Which server.
    root
        The folder of the project.
    notice
        Told once, in a sentence, when something goes wrong.
    trusted
        Whether the server may run programs of the project (`servers.may_start`).
    unsaved
        What other open documents hold; the server sees it in place of their files.
    python
        The interpreter or environment that a person named for the project.
    """

    def __init__(
        self,
        server: Server,
        root: Path,
        notice: Callable[[str], None] = log.warning,
        *,
        trusted: bool = True,
        unsaved: UnsavedDocuments | None = None,
        python: str = "",
    ) -> None:
        self._unsaved = unsaved or UnsavedDocuments()
        self.server = server
        self.root = whole(root)  # a relative path has no URI
        self.trusted = trusted
        self.python = python
        self.state: State = "idle"
        self.failures = 0
        self._notice = notice
        self._told = False
        self._client: Any = None
        self._retry_at = 0.0
        self._turns = PriorityLock(MOST_WAITING)
        self._request = 0  # which request for suggestions is at work; the greater the newer
        self._answered = False  # since the last start
        self._answers: OrderedDict[Key, asyncio.Task[Any]] = OrderedDict()
        self._sizes: dict[Key, int] = {}  # of the answers that have come
        self._tickets: dict[Key, Ticket] = {}  # of the answers that are on their way
        _running.add(self)

    @property
    def name(self) -> str:
        """The server's name."""
        return self.server.name

    @property
    def pid(self) -> int | None:
        """The process's id, if one runs."""
        return self._client.pid if self._client is not None else None

    def warm_up(self) -> Future[None]:
        """Start the server now, before the first question."""
        return shared().submit(self._warm_up())

    def ask(self, request: Request[T], question: Question) -> Future[T]:
        """See `Analyser.ask`: the same question is sent once, also while its answer is on the way."""
        return shared().submit(self._answer(request, question, self._request))

    def attend(self) -> None:
        """See `Analyser.attend`."""
        self._request += 1

    def files_changed(self, paths: Sequence[Path]) -> Future[None]:
        """Other files were written or deleted: forget earlier answers."""
        return shared().submit(self._forget(paths))

    def stop(self, seconds: float = STOP_S) -> None:
        """End the server; waits up to `seconds`, then kills it."""
        self.state = "stopped"
        client = self._client
        if client is None:
            return
        with contextlib.suppress(Exception):
            shared().submit(client.stop()).result(seconds)
        client.kill()

    async def _warm_up(self) -> None:
        with contextlib.suppress(NoAnswer):
            async with self._turns.take(Ticket(self._request)):
                await self._ready()

    async def _forget(self, paths: Sequence[Path]) -> None:
        self._answers.clear()
        if self._client is not None and self._client.alive and self.state == "ready":
            self._client.files_changed(paths)
            asyncio.get_running_loop().call_later(SETTLE_S, self._answers.clear)

    async def _answer(self, request: Request[T], question: Question, asked_by: int) -> T:
        digest = hashlib.blake2b(question.text.encode(errors="surrogatepass"), digest_size=16).digest()
        editions = tuple(sorted(one.edition for one in self._others(question).values()))
        key = (request.name, question.path, digest, question.offset if request.placed else 0, editions)
        task = self._answers.get(key)
        if task is None:
            ticket = self._tickets[key] = Ticket(asked_by)
            task = self._answers[key] = asyncio.create_task(self._queue(request, question, ticket, key))
            task.add_done_callback(lambda done: self._forget_failure(key, done))
            self._forget_oldest()
        elif key in self._tickets:
            self._tickets[key].request = max(self._tickets[key].request, asked_by)
        self._answers.move_to_end(key)
        return await asyncio.shield(task)  # who gives up waiting does not take the answer from the next one

    def _forget_failure(self, key: Key, done: asyncio.Task[Any]) -> None:
        self._tickets.pop(key, None)
        failed = done.cancelled() or done.exception() is not None
        if failed and self._answers.get(key) is done:
            del self._answers[key]

    def _forget_oldest(self) -> None:
        """Drop the oldest answers beyond the limit."""
        self._sizes = {key: size for key, size in self._sizes.items() if key in self._answers}
        total = sum(self._sizes.values())
        while len(self._answers) > KEPT_ANSWERS or (total > KEPT_BYTES and len(self._answers) > 1):
            key, _ = self._answers.popitem(last=False)
            total -= self._sizes.pop(key, 0)

    async def _queue(self, request: Request[T], question: Question, ticket: Ticket, key: Key) -> T:
        async with self._turns.take(ticket):  # the shadow belongs to one question at a time
            client = await self._ready()
            before = client.received
            answer = await self._ask(client, request, question)
            self._sizes[key] = client.received - before
            return answer

    async def _ask(self, client: Any, request: Request[T], question: Question) -> T:
        patience = ANSWER_S if self._answered else FIRST_ANSWER_S
        try:
            shown = request.shown(question, marks=self.server.marks)
            client.show(question.path, question.language, shown, self._others(question))
            answer = await asyncio.wait_for(request.send(client, question), patience)
        except TimeoutError as error:
            self._fail(f"did not answer within {patience:.0f} s")
            raise NoAnswer("hung") from error
        except Exception as error:
            if not client.alive:
                self._fail(client.ending or f"died ({error})")
                raise NoAnswer("died") from error
            if isinstance(error, NoAnswer):
                raise
            # An error about one question (jedi has such) says nothing about the next.
            log.debug("%s: %s", self.name, error)
            raise NoAnswer("error") from error
        self.failures, self._answered = 0, True
        return answer

    def overlooks(self, path: Path) -> bool:
        """Whether there are unsaved documents beside a file that the server does not see."""
        return not self.server.sees_unsaved and bool(besides(self._unsaved.shown, path, self.server.languages))

    def _others(self, question: Question) -> dict[Path, Unsaved]:
        """The unsaved documents that the server sees beside the one that is asked about."""
        asked = {one.path: as_unsaved(one) for one in question.besides if one.path is not None}
        return besides({**self._unsaved.shown, **asked}, question.path, self.server.languages)

    async def _ready(self) -> Any:
        """The running client, started if need be.

        Raises
        ------
        NoAnswer
            There is none now.
        """
        if self.state == "stopped":
            raise NoAnswer("stopped")
        if self._client is not None and self._client.alive:
            return self._client
        if self.state == "ready":
            self._fail((self._client and self._client.ending) or "died")
        if time.monotonic() < self._retry_at:
            raise NoAnswer("restarting")
        from guiderail.monitors.analysis.client import Client

        self.state, self._answered = "starting", False
        client = self._client = Client(self.server, self.root, trusted=self.trusted, python=self.python)
        try:
            await client.start()
        except Exception as error:
            if self.state != "stopped":
                self._fail(client.ending or f"cannot be started ({error or type(error).__name__})")
                raise NoAnswer("cannot start") from error
        if self.state == "stopped":  # while it started
            client.kill()
            raise NoAnswer("stopped")
        self.state = "ready"
        return client

    def _fail(self, what: str) -> None:
        """End what is left of the server, and log it once."""
        if self._client is not None:
            self._client.kill()
        if self.state != "stopped":
            self.state = "failed"
        self._client = None
        pause = BACK_OFF_S[min(self.failures, len(BACK_OFF_S) - 1)]
        self.failures += 1
        self._retry_at = time.monotonic() + pause
        if not self._told:
            self._told = True
            self._notice(f"the analyser {self.name} {what}: completions go on without it, it is started anew later")


_running: weakref.WeakSet[ServerAnalyser] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Kill every server when the process ends."""
    for analyser in list(_running):
        analyser.state = "stopped"
        if analyser._client is not None:
            analyser._client.kill()
