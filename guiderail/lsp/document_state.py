"""The state of one document: its pending requests, the work for them, and the answers already known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.lsp.suggestion_cache import SuggestionCache, same_after
from guiderail.lsp.worker import Job, Priority


@dataclass(eq=False)
class Running:
    """A request that the worker is answering.

    Attributes
    ----------
    written
        What the model has written so far.
    done
        The answer, on the event loop's side.
    """

    request: CompletionRequest
    job: Job
    written: TextStream
    done: asyncio.Future[Completion]

    def covers(self, request: CompletionRequest) -> bool:
        """Whether this will answer `request` too: since it began, only what the model has written was typed."""
        if (
            self.job.cancelled
            or self._failed
            or self.request.n < request.n
            or self.request.settings != request.settings
        ):
            return False
        typed = request.typed_since(self.request)
        return (
            typed is not None and self.written.text.startswith(typed) and same_after(self.request.after, request.after)
        )

    @property
    def _failed(self) -> bool:
        """Whether it ended without a whole answer."""
        if not self.done.done():
            return False
        return self.done.cancelled() or self.done.exception() is not None or not self.done.result().is_whole


@dataclass(eq=False)
class PendingRequest:
    """A client's request until it is answered, or replaced by a newer one."""

    replaced: asyncio.Future[None]
    running: Running | None = None


@dataclass
class Prefetch:
    """A request that may come next, and the timer that starts work on it."""

    request: CompletionRequest
    timer: asyncio.TimerHandle | None = None
    running: Running | None = None


@dataclass
class DocumentState:
    """The requests and answers of one document.

    Attributes
    ----------
    cache
        The last answers.
    pending
        The clients' requests, by lane.
    current
        The request that would be made after the last edit.
    unclaimed
        Work that goes on though no request waits for it now: the person typed what it has written.
    prefetch
        The request after the suggestion that was shown last.
    preparing, warming
        Work in idle time: encoding the present prompt, and reading what the first request will need.
    """

    cache: SuggestionCache = field(default_factory=SuggestionCache)
    pending: dict[str, PendingRequest] = field(default_factory=dict)
    current: CompletionRequest | None = None
    unclaimed: Running | None = None
    prefetch: Prefetch | None = None
    preparing: Job | None = None
    warming: Job | None = None

    def end(self) -> None:
        """End all work; requests that wait are answered with nothing."""
        for pending in self.pending.values():
            if not pending.replaced.done():
                pending.replaced.set_result(None)
            if pending.running:
                pending.running.job.cancel()
        for job in (self.unclaimed.job if self.unclaimed else None, self.preparing, self.warming):
            if job:
                job.cancel()
        self.drop_prefetch()

    def drop_prefetch(self) -> None:
        """End the prefetch, unless a request has joined it."""
        if self.prefetch and self.prefetch.timer:
            self.prefetch.timer.cancel()
        if self.prefetch and self.prefetch.running and self.prefetch.running.job.priority != Priority.REQUEST:
            self.prefetch.running.job.cancel()
        self.prefetch = None

    def running_for(self, request: CompletionRequest, last: PendingRequest | None) -> Running | None:
        """Work under way that will answer a request too, `last` being the one that it replaces."""
        under_way = (
            last.running if last else None, self.unclaimed, self.prefetch.running if self.prefetch else None,
        )  # fmt: skip
        return next((one for one in under_way if one and one.covers(request)), None)
