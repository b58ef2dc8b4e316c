"""A lock whose waiters are served by priority: the newest request first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from guiderail.monitors.analysis.answers import NoAnswer


@dataclass(slots=True, eq=False)
class Ticket:
    """A waiting task.

    Parameters
    ----------
    request
        The request that wants it, the greater the newer; it may rise while the ticket waits.
    """

    request: int
    turn: asyncio.Future[None] | None = None


class PriorityLock:
    """A lock for tasks of one event loop, given to the newest request first.

    Parameters
    ----------
    most
        How many may wait at once. If more would, the first waiter of the oldest request is refused: its question is
        about a place that the cursor has left.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = False
        self._waiting: list[Ticket] = []  # in the order in which they came

    @asynccontextmanager
    async def take(self, ticket: Ticket) -> AsyncIterator[None]:
        """Hold the lock, after all others of the same request.

        Raises
        ------
        NoAnswer
            Too many wait.
        """
        if self._taken:
            await self._wait(ticket)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, ticket: Ticket) -> None:
        ticket.turn = turn = asyncio.get_running_loop().create_future()
        self._waiting.append(ticket)
        if len(self._waiting) > self._most:
            oldest = min(self._waiting, key=lambda one: one.request)
            self._waiting.remove(oldest)
            assert oldest.turn is not None, "who waits has one"
            oldest.turn.set_exception(NoAnswer("busy"))
        try:
            await turn
        except asyncio.CancelledError:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            elif turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()  # it was given the lock at this moment
            raise

    def _pass_on(self) -> None:
        """Give the lock to the next waiter, for whom it is taken already."""
        self._taken = False
        while self._waiting:
            ticket = max(self._waiting, key=lambda one: one.request)  # of equal ones the first
            self._waiting.remove(ticket)
            assert ticket.turn is not None, "who waits has one"
            if not ticket.turn.done():
                self._taken = True
                ticket.turn.set_result(None)
                return
