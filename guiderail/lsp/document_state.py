"""What goes on for one document: its requests, the work for them, and the answers that are known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from guiderail.lsp.engine import Answer, Wish, Written
from guiderail.lsp.suggestion_cache import SuggestionCache, same_after
from guiderail.lsp.worker import Job, Rank


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

    wish: Wish
    job: Job
    written: Written
    done: asyncio.Future[Answer]

    def covers(self, wish: Wish) -> bool:
        """Whether this will answer `wish` too: since it began, only what the model has written was typed."""
        if self.job.cancelled or self._failed or self.wish.wanted < wish.wanted or self.wish.settings != wish.settings:
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
    """A client's request, until it is answered or a newer one takes its place."""

    replaced: asyncio.Future[None]
    running: Running | None = None


@dataclass
class Prefetch:
    """A request that may come next, and the timer that starts work on it."""

    wish: Wish
    timer: asyncio.TimerHandle | None = None
    running: Running | None = None


@dataclass
class DocumentState:
    """The requests and answers of one document.

    Attributes
    ----------
    cache
        The last answers.
    turns
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
    turns: dict[str, Turn] = field(default_factory=dict)
    current: Wish | None = None
    unclaimed: Running | None = None
    prefetch: Prefetch | None = None
    preparing: Job | None = None
    warming: Job | None = None

    def end(self) -> None:
        """End all work; requests that wait are answered with nothing."""
        for turn in self.turns.values():
            if not turn.replaced.done():
                turn.replaced.set_result(None)
            if turn.running:
                turn.running.job.cancel()
        for job in (self.unclaimed.job if self.unclaimed else None, self.preparing, self.warming):
            if job:
                job.cancel()
        self.drop_prefetch()

    def drop_prefetch(self) -> None:
        """End the prefetch, unless a request has joined it."""
        if self.prefetch and self.prefetch.timer:
            self.prefetch.timer.cancel()
        if self.prefetch and self.prefetch.running and self.prefetch.running.job.rank != Rank.REQUEST:
            self.prefetch.running.job.cancel()
        self.prefetch = None

    def running_for(self, wish: Wish, last: Turn | None) -> Running | None:
        """Work under way that will answer a request too, `last` being the one that it replaces."""
        under_way = (
            last.running if last else None, self.unclaimed, self.prefetch.running if self.prefetch else None,
        )  # fmt: skip
        return next((one for one in under_way if one and one.covers(wish)), None)
