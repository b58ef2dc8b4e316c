"""Serves clients over the network, each of which shows the token first."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from dataclasses import dataclass

from guiderail.errors import UsageError
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.transport import SocketWriter

log = logging.getLogger(__name__)

MAX_UNAUTHENTICATED = 32  # connections at a time that have not shown the token
TOKEN_TIMEOUT_S = 10.0  # in which a client must have shown the token
CLOSE_S = 0.5  # for what is queued for a client
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where to listen; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address_of(text: str) -> Address:
    """Read ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT``.

    Raises
    ------
    UsageError
        It is none of them.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is no address to listen on", "Write HOST:PORT, for example 127.0.0.1:5007")
    return Address(host.strip("[]") or LOOPBACK, int(port))


class NetworkService:
    """Accepts connections, and serves each as a client of its own.

    Parameters
    ----------
    process
        What all clients share.
    token
        What each client must show first.

    Attributes
    ----------
    unauthenticated
        The servers of clients that have not shown the token, the oldest first.
    """

    def __init__(self, process: ServerProcess, token: str) -> None:
        self.token = token
        self.unauthenticated: dict[Server, None] = {}
        self._process = process
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, address: Address) -> asyncio.Server:
        """Begin to accept connections.

        Raises
        ------
        UsageError
            The address cannot be listened on.
        """
        try:
            return await asyncio.start_server(self._serve, address.host, address.port)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {address.host}:{address.port}: {error.strerror}", "Choose another --tcp address"
            ) from error

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        server, writer = Server(self._process), SocketWriter(stream)
        deadline = self._admit(server, writer)
        try:
            await server.handle_messages(reader)
        except ConnectionError:
            log.info("a client is gone")
        finally:
            deadline.cancel()
            self.unauthenticated.pop(server, None)
            server.close()
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(stream.wait_closed(), CLOSE_S)

    def _admit(self, server: Server, writer: SocketWriter) -> asyncio.TimerHandle:
        """Wait for a client's token; of too many that have not shown it the one that has waited longest goes.

        One that has the token shows it at once, so that nobody keeps it out by opening connections.
        """
        connection = server.protocol
        connection.token, connection.on_rejected = self.token, lambda: server.leave(1)
        connection.set_writer(writer)  # pyright: ignore[reportArgumentType]
        for one in [one for one in self.unauthenticated if one.protocol.is_initialized]:
            del self.unauthenticated[one]
        if len(self.unauthenticated) >= MAX_UNAUTHENTICATED:
            oldest = next(iter(self.unauthenticated))
            del self.unauthenticated[oldest]
            oldest.leave(1)
        self.unauthenticated[server] = None
        return server.loop.call_later(TOKEN_TIMEOUT_S, lambda: connection.is_initialized or server.leave(1))
