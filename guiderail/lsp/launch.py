"""Starts the server's process on standard input and output or on the network, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import secrets
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from guiderail import private
from guiderail.errors import UsageError
from guiderail.lsp import logfile
from guiderail.lsp.framing import FrameError
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.signals import SignalHandler
from guiderail.lsp.transport import FRAME_LIMIT, PipeWriter, SocketWriter, frames, pipe_reader
from guiderail.lsp.worker import Worker
from guiderail.settings import Settings

log = logging.getLogger(__name__)

WORKER_END_S = 0.7  # that the worker gets to end
UNAUTHENTICATED_FRAME_LIMIT = 1_000_000  # bytes of a frame before the right token came
MAX_UNAUTHENTICATED = 32  # connections at a time that have not shown the token
TOKEN_TIMEOUT_S = 10.0  # in which a client must have shown the token
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


def run_stdio(settings: Settings, flags: Mapping[str, object]) -> NoReturn:
    """Serve one client on standard input and output until it leaves."""
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not get between the frames
    process = ServerProcess(Worker(), logfile.start(settings.log_level), flags)
    signals = SignalHandler()
    _run(process, signals, _serve_pipes(process, signals, sys.stdin.fileno(), output))


def run_tcp(settings: Settings, flags: Mapping[str, object], address: Address, token: str | None) -> NoReturn:
    """Serve clients on the network until the process is told to end.

    A token is made, and printed on standard error, if there is none.

    Raises
    ------
    UsageError
        The address cannot be listened on.
    """
    process = ServerProcess(Worker(), logfile.start(settings.log_level), flags, settings)
    signals = SignalHandler()
    _run(process, signals, _serve_network(process, signals, settings, address, token))


def _run(process: ServerProcess, signals: SignalHandler, serve: Coroutine[Any, Any, int]) -> NoReturn:
    """Run the event loop and end the process.

    The process ends hard: the worker may be deep in loading a model, and the interpreter takes seconds to take torch
    apart.
    """

    with contextlib.suppress(OSError):
        private.close()

    async def served() -> int:
        try:
            return await serve
        finally:
            signals.start_countdown()

    try:
        code = asyncio.run(served())
    except KeyboardInterrupt:
        code = 130
    process.worker.stop(WORKER_END_S)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


async def _serve_pipes(process: ServerProcess, signals: SignalHandler, source: int, target: int) -> int:
    process.worker.start()
    server = Server(process)
    writer = PipeWriter(target, lambda: server.leave(1))
    server.protocol.set_writer(writer)  # pyright: ignore[reportArgumentType] (it closes with a deadline)
    signals.watch(lambda: server.leave(0))
    try:
        return await _handle_messages(server, pipe_reader(source))
    finally:
        server.close()
        writer.close()


async def _serve_network(
    process: ServerProcess, signals: SignalHandler, settings: Settings, address: Address, token: str | None
) -> int:
    secret = token or secrets.token_urlsafe(24)
    ended = asyncio.get_running_loop().create_future()
    signals.watch(lambda: ended.done() or ended.set_result(0))
    clients: set[asyncio.Task[None]] = set()
    unauthenticated: dict[Server, None] = {}

    async def client(reader: asyncio.StreamReader, stream: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        task.add_done_callback(clients.discard)
        await _serve_client(process, secret, unauthenticated, reader, stream)

    try:
        listener = await asyncio.start_server(client, address.host, address.port)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address.host}:{address.port}: {error.strerror}", "Choose another --tcp address"
        ) from error
    process.worker.start()
    process.worker.load(settings)
    place = listener.sockets[0].getsockname()
    print(f"guiderail: listening on {place[0]}:{place[1]}", file=sys.stderr)
    if token is None:
        print(f"guiderail: clients give initializationOptions.token = {secret}", file=sys.stderr, flush=True)
    if not address.is_loopback:
        print("guiderail: others can reach this address, and the connection is not encrypted", file=sys.stderr)
    sys.stderr.flush()
    async with listener:
        await ended
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    return 0


async def _serve_client(
    process: ServerProcess,
    token: str,
    unauthenticated: dict[Server, None],
    reader: asyncio.StreamReader,
    stream: asyncio.StreamWriter,
) -> None:
    server, writer = Server(process), SocketWriter(stream)
    _admit(server, unauthenticated)
    server.protocol.token = token
    server.protocol.on_rejected = lambda: server.leave(1)
    server.protocol.set_writer(writer)  # pyright: ignore[reportArgumentType]
    deadline = server.loop.call_later(TOKEN_TIMEOUT_S, lambda: server.protocol.is_initialized or server.leave(1))
    try:
        await _handle_messages(server, reader)
    except ConnectionError:
        log.info("a client is gone")
    finally:
        deadline.cancel()
        unauthenticated.pop(server, None)
        server.close()
        writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(stream.wait_closed(), 0.5)


def _admit(server: Server, unauthenticated: dict[Server, None]) -> None:
    """Count a client that has not shown the token among them; of too many the one that has waited longest goes.

    One that has the token shows it at once, so that nobody keeps it out by opening connections.
    """
    for one in [one for one in unauthenticated if one.protocol.is_initialized]:
        del unauthenticated[one]
    if len(unauthenticated) >= MAX_UNAUTHENTICATED:
        oldest = next(iter(unauthenticated))
        del unauthenticated[oldest]
        oldest.leave(1)
    unauthenticated[server] = None


async def _handle_messages(server: Server, reader: asyncio.StreamReader) -> int:
    """Handle messages until the client leaves or is lost; the exit code."""

    async def listen() -> None:
        limit = lambda: FRAME_LIMIT if server.protocol.is_initialized else UNAUTHENTICATED_FRAME_LIMIT  # noqa: E731
        async for body in frames(reader, limit):
            server.protocol.receive(body)
            # A request's handler begins before the next message is taken, so that it sees the text as it was.
            await asyncio.sleep(0)
            await server.protocol.idle()

    listening = asyncio.ensure_future(listen())
    try:
        await asyncio.wait([listening, server.gone], return_when=asyncio.FIRST_COMPLETED)
        if server.gone.done():
            return server.gone.result()
        error = listening.exception()
        if isinstance(error, FrameError):
            log.error("giving up a client: %s", error)
            server.protocol.end_with(str(error))
        elif error is not None:
            raise error
        return 0 if server.protocol.is_ending else 1
    finally:
        listening.cancel()
