"""An analyser that is always there to be asked: starts, caches, restarts, gives up for a while, never blocks."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import hashlib
import logging
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from guiderail.monitors.analysis.loop import shared
from guiderail.monitors.analysis.server import Server

log = logging.getLogger(__name__)
FIRST_ANSWER_S = 60.0  # reading a project for the first time takes long
ANSWER_S = 10.0  # a server that needs longer is hung: it is ended and started anew
BACK_OFF_S = (0.5, 2.0, 8.0, 30.0, 120.0)  # pauses before the first, second, … start after a failure
KEPT_ANSWERS = 256
MOST_WAITING = 4  # questions that wait for a busy server
STOP_S = 2.0

State = Literal["idle", "starting", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Question:
    """What stands behind the dot at `offset` (code points) of a file that holds `text`?"""

    path: Path
    language: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Member:
    """A name that an analyser offers; `detail` is its type as the analyser words it."""

    name: str
    kind: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Members:
    """The names that an analyser offers, in its order.

    Parameters
    ----------
    items
        The names.
    complete
        Whether they are all there are.
    """

    items: tuple[Member, ...]
    complete: bool


class NoAnswer(Exception):
    """An analyser cannot answer; the message says why in one word or two, for the count."""


class Analyser(Protocol):
    """Who can be asked for members."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def members(self, question: Question) -> Future[Members]:
        """The answer, when it comes; NoAnswer in the future if there will be none."""
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
    """

    def __init__(self, server: Server, root: Path, notice: Callable[[str], None] = log.warning) -> None:
        self.server = server
        self.root = root
        self.state: State = "idle"
        self.failures = 0
        self._notice = notice
        self._told = False
        self._client: Any = None
        self._retry_at = 0.0
        self._lock: asyncio.Lock | None = None
        self._waiting = 0
        self._answered = False  # since the last start
        self._cache: OrderedDict[tuple[Path, bytes, int], Members] = OrderedDict()
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
        """Start the server now, ahead of the first question."""
        return shared().submit(self._warm_up())

    def members(self, question: Question) -> Future[Members]:
        """See `Analyser.members`."""
        return shared().submit(self._answer(question))

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
            async with self._alone():
                await self._ready()

    async def _answer(self, question: Question) -> Members:
        digest = hashlib.blake2b(question.text.encode(errors="surrogatepass"), digest_size=16).digest()
        key = (question.path, digest, question.offset)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        if self._waiting >= MOST_WAITING:
            raise NoAnswer("busy")
        self._waiting += 1
        try:
            async with self._alone():  # the shadow belongs to one question at a time
                answer = await self._ask(question)
        finally:
            self._waiting -= 1
        self._cache[key] = answer
        if len(self._cache) > KEPT_ANSWERS:
            self._cache.popitem(last=False)
        return answer

    def _alone(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _ask(self, question: Question) -> Members:
        client = await self._ready()
        patience = ANSWER_S if self._answered else FIRST_ANSWER_S
        try:
            reply = await asyncio.wait_for(
                client.complete(question.path, question.language, question.text, question.offset), patience
            )
            answer = read_members(reply, self.server)
        except TimeoutError as error:
            self._fail(f"did not answer within {patience:.0f} s")
            raise NoAnswer("hung") from error
        except Exception as error:
            if not client.alive:
                self._fail(f"died ({error})")
                raise NoAnswer("died") from error
            if isinstance(error, NoAnswer):
                raise
            # An error about one question (jedi has such) says nothing about the next.
            log.debug("%s: %s", self.name, error)
            raise NoAnswer("error") from error
        self.failures, self._answered = 0, True
        return answer

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
            self._fail("died")
        if time.monotonic() < self._retry_at:
            raise NoAnswer("restarting")
        from guiderail.monitors.analysis.client import Client

        self.state, self._answered = "starting", False
        client = self._client = Client(self.server, self.root)
        try:
            await client.start()
        except Exception as error:
            self._fail(f"cannot be started ({error or type(error).__name__})")
            raise NoAnswer("cannot start") from error
        if self.state == "stopped":  # while it started
            client.kill()
            raise NoAnswer("stopped")
        self.state = "ready"
        return client

    def _fail(self, what: str) -> None:
        """End what is left of the server, and say so once."""
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


def read_members(reply: dict[str, Any], server: Server) -> Members:
    """The names in LSP's CompletionList.

    Raises
    ------
    NoAnswer
        It is no CompletionList.
    """
    items = reply.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NoAnswer("garbage")
    found = tuple(
        Member(_name(item), item.get("kind") or 0, item.get("detail") or "")
        for item in items
        if isinstance(item.get("label"), str) and item.get("kind") != KEYWORD
    )
    truncated = server.limit is not None and len(items) >= server.limit
    flagged = bool(reply.get("isIncomplete")) and server.incomplete_means_missing
    return Members(found, complete=not (truncated or flagged))


KEYWORD = 14  # CompletionItemKind


def _name(item: dict[str, Any]) -> str:
    """What would be written: the edit, the inserted text, or the label, without brackets behind a name."""
    edit = item.get("textEdit")
    text = edit.get("newText") if isinstance(edit, dict) else None
    text = text or item.get("insertText") or item["label"]
    return text.strip().partition("(")[0]


_running: weakref.WeakSet[ServerAnalyser] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """End every server with the process: at once, since nobody waits for an answer any more."""
    for analyser in list(_running):
        analyser.state = "stopped"
        if analyser._client is not None:
            analyser._client.kill()
