"""A connection that must make progress: uvicorn itself waits for ever for a request that has begun."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0  # in which the head of a request must have come
CLOSE_S = 5.0  # in which a client must have read what is left of an answer
MOST_IDLE = 256  # connections without a request; of more, the one that has waited longest goes


class Connection(H11Protocol):
    """An HTTP connection with deadlines."""

    _deadline: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._wait()
        idle = [one for one in self.connections if isinstance(one, Connection) and one.is_idle and one.is_open]
        if len(idle) > MOST_IDLE:
            min(idle, key=lambda one: one._since).transport.abort()

    def on_response_complete(self) -> None:
        """Go on after an answer; a client that asked for the end, and does not read what is left, has a little time."""
        super().on_response_complete()
        self._bound_close()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_open(self) -> bool:
        """Whether it is not about to be closed."""
        return not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Take what came: a request's head, or a part of one."""
        super().data_received(data)
        self._bound_close()
        if self.is_idle:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing has come, also where the client reads nothing."""
        super().timeout_keep_alive_handler()
        self._bound_close()

    def _bound_close(self) -> None:
        """A connection that is being closed waits until its client has read all, but not for ever."""
        if self.transport.is_closing():
            self.loop.call_later(CLOSE_S, self.transport.abort)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._expire)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if self.is_idle:
            self.transport.abort()
