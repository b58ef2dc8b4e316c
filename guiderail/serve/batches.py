"""Puts requests that wait for the same text into one: its suggestions are written side by side, in the same passes.

Some plug-ins ask for several suggestions by several requests at once. Requests for different texts take turns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.lsp.worker import CompletionEngine, Job, Priority, Worker
from guiderail.serve.query import MOST_TEXTS


@dataclass(eq=False)
class Member:
    """One request of a batch.

    Parameters
    ----------
    batch
        What it is in.
    n
        The suggestions that it wants.

    Attributes
    ----------
    first
        Which of the batch's suggestions is its first.
    """

    batch: Batch
    n: int
    first: int = 0

    def leave(self) -> None:
        """Give it up; the work ends once nobody waits for it."""
        self.batch.leave(self)


@dataclass(eq=False)
class Batch:
    """Requests that one piece of work answers.

    Attributes
    ----------
    done
        The result, on the event loop's side.
    """

    request: CompletionRequest
    client: int
    members: list[Member] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: bool = False
    job: Job = field(init=False)
    done: asyncio.Future[Completion] = field(init=False)

    def __post_init__(self) -> None:
        self.job = Job(Priority.REQUEST, self._work, self.client)
        self.done = asyncio.wrap_future(self.job.future)

    def join(self, n: int) -> Member | None:
        """Add a request; None if the work has begun, was given up, or would be too much."""
        with self.lock:
            if self.began or self.job.cancelled or sum(one.n for one in self.members) + n > MOST_TEXTS:
                return None
            self.members.append(Member(self, n))
            return self.members[-1]

    def leave(self, member: Member) -> None:
        """Remove a request."""
        with self.lock:
            if member in self.members:
                self.members.remove(member)
            if not self.members:
                self.job.cancel()  # under the lock: nobody joins what is given up

    def _work(self, engine: CompletionEngine, cancelled) -> Completion:  # on the worker's thread
        with self.lock:
            self.began = True
            total = 0
            for member in self.members:
                member.first = total
                total += member.n
        return engine.complete(replace(self.request, n=max(1, total)), cancelled)


class Batches:
    """The batches that wait, by what they are about.

    Parameters
    ----------
    worker
        What runs the model.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._waiting: dict[Hashable, Batch] = {}

    def join(self, request: CompletionRequest, client: int) -> Member:
        """Put a request into a batch that waits, or begin one."""
        key = (client, request.document, request.offset, request.root, request.settings, request.snippets)
        batch = self._waiting.get(key)
        member = batch.join(request.n) if batch else None
        if member is None:
            batch = Batch(request, client)
            member = batch.join(request.n)
            assert member is not None, "one request fits"
            self._waiting[key] = batch
            batch.done.add_done_callback(lambda _: self._forget(key, batch))
            self._worker.submit(batch.job)
        return member

    def _forget(self, key: Hashable, batch: Batch) -> None:
        if not batch.done.cancelled():
            batch.done.exception()  # whoever still waits reads it; asyncio is to report none that nobody read
        if self._waiting.get(key) is batch:
            del self._waiting[key]
