"""Starts the server's process on standard input and output or on the network, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn

from guiderail import private
from guiderail.lsp import logfile
from guiderail.lsp.network import Address, NetworkService
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.signals import SignalHandler
from guiderail.lsp.transport import PipeWriter, pipe_reader
from guiderail.lsp.worker import Worker
from guiderail.settings import Settings

log = logging.getLogger(__name__)

WORKER_END_S = 0.7  # that the worker gets to end


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
    process.finish_saving()
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
        return await server.handle_messages(pipe_reader(source))
    finally:
        server.close()
        writer.close()


async def _serve_network(
    process: ServerProcess, signals: SignalHandler, settings: Settings, address: Address, token: str | None
) -> int:
    ended = asyncio.get_running_loop().create_future()
    signals.watch(lambda: ended.done() or ended.set_result(0))
    service = NetworkService(process, token or secrets.token_urlsafe(24))
    listener = await service.listen(address)
    process.worker.start()
    process.worker.load(settings)
    _print_address(listener, None if token else service.token, address)
    async with listener:
        await ended
        await service.close()
    return 0


def _print_address(listener: asyncio.Server, made: str | None, address: Address) -> None:
    """Print where the server listens, a token that was made for it, and a warning where others can reach it."""
    place = listener.sockets[0].getsockname()
    print(f"guiderail: listening on {place[0]}:{place[1]}", file=sys.stderr)
    if made is not None:
        print(f"guiderail: clients give initializationOptions.token = {made}", file=sys.stderr, flush=True)
    if not address.is_loopback:
        print("guiderail: others can reach this address, and the connection is not encrypted", file=sys.stderr)
    sys.stderr.flush()
