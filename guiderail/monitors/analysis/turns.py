"""Who speaks to a server next: one at a time, whoever belongs to the newest request first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from guiderail.monitors.analysis.answers import NoAnswer


class Turns:
    """A lock for those who wait on one event loop.

    Parameters
    ----------
    most
        Who may wait at once. If more would, who waits longest of the oldest request is sent away: it was asked where
        the cursor is no more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = False
        self._number = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap, the newest request first

    @asynccontextmanager
    async def take(self, request: int) -> AsyncIterator[None]:
        """Hold the lock, behind all others of the same request (a number, the greater the newer).

        Raises
        ------
        NoAnswer
            Too many wait.
        """
        if self._taken:
            await self._wait(request)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, request: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-request, next(self._number), turn))
        if len(self._waiting) > self._most:
            oldest = max(self._waiting, key=lambda one: (one[0], -one[1]))
            self._waiting.remove(oldest)
            heapq.heapify(self._waiting)
            oldest[2].set_exception(NoAnswer("busy"))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the lock to the next one, who finds it taken."""
        self._taken = False
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                self._taken = True
                turn.set_result(None)
                return
