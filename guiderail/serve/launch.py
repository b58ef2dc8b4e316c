"""Starts the server's process, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import uvicorn

from guiderail import private
from guiderail.engine.engine import Engine
from guiderail.errors import UsageError
from guiderail.lsp import logfile
from guiderail.lsp.network import Address
from guiderail.lsp.signals import SignalHandler
from guiderail.lsp.worker import Health, Worker
from guiderail.serve.app import application
from guiderail.serve.backend import Backend
from guiderail.serve.cluster import RayModel, Replicas, check_installed
from guiderail.serve.connection import Connection
from guiderail.serve.limits import SERVING
from guiderail.serve.local_model import LocalModel
from guiderail.serve.service import CompletionService
from guiderail.settings import Settings

KEEP_ALIVE_S = 15
WORKER_END_S = 0.7  # that the worker, or a cluster, gets to end; Linux ends what is left of a cluster with this process
END_S = 1  # that answers under way get


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to `SignalHandler`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(
    settings: Mapping[Path | None, Settings], address: Address, key: str, replicas: Replicas | None = None
) -> NoReturn:
    """Serve until the process is told to end.

    Parameters
    ----------
    settings
        The settings of each root, and of texts in no file.
    address
        Where to listen; port 0 lets the system choose.
    key
        What clients must show; "" for none.
    replicas
        How many replicas of the model there are on a Ray cluster; None for the model in this process.

    Raises
    ------
    UsageError
        The address cannot be listened on, or Ray is not installed.
    """
    if replicas is not None:
        check_installed()
    listener = listen(address)
    own = settings[None]
    logfile.start(own.log_level, "serve")
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # its reports of failures quote our errors
    with contextlib.suppress(OSError):
        private.close()
    signals = SignalHandler()
    backend, stop = _on_ray(own, replicas) if replicas is not None else _here(own)
    service = CompletionService(backend, settings)
    service.warm()
    _say(listener, address, service.model, service)
    try:
        asyncio.run(_serve(server_of(service, key, local_only=address.is_loopback), listener, signals))
        code = 0
    except KeyboardInterrupt:
        code = 130
    stop()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # the worker may be deep in loading a model


def _here(settings: Settings) -> tuple[Backend, Callable[[], object]]:
    """The model in this process, which is being loaded, and what ends it."""
    worker = Worker(Engine(SERVING, stays=True))
    worker.watchers.append(_tell)
    worker.start()
    worker.load(settings)
    return LocalModel(worker), lambda: worker.stop(WORKER_END_S)


def _on_ray(settings: Settings, replicas: Replicas) -> tuple[Backend, Callable[[], object]]:
    """The model on a Ray cluster, which is being started, and what ends it."""
    model = RayModel(settings, replicas)
    model.start(_tell)
    return model, lambda: model.stop(WORKER_END_S)


def listen(address: Address) -> socket.socket:
    """A socket that listens; raises UsageError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address.host}:{address.port}: {error.strerror or error}", "Choose another --port"
        ) from error


def server_of(service: CompletionService, key: str, *, local_only: bool) -> uvicorn.Server:
    """The HTTP server of a service; arguments as of `application`."""
    app = application(service, key, local_only=local_only)
    config = uvicorn.Config(
        app, loop="asyncio", http=Connection, ws="none", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=END_S,
    )  # fmt: skip
    return _Server(config)


async def _serve(server: uvicorn.Server, listener: socket.socket, signals: SignalHandler) -> None:
    def end() -> None:
        server.should_exit = True
        signals.start_countdown()

    signals.watch(end)
    await server.serve([listener])


def _tell(health: Health) -> None:
    """Print what is wrong with the model, if anything is: there is no editor to show it."""
    if health.state == "error":
        print(f"guiderail: {health.message}. {health.remedy}", file=sys.stderr, flush=True)


def _say(listener: socket.socket, address: Address, model: str, service: CompletionService) -> None:
    """Print where the server listens, what it serves, and a warning where others can reach it."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"guiderail: serving {model} on http://{shown}:{port}", file=sys.stderr)
    for root in service.roots:
        print(f"guiderail: files under {root} are found by their text", file=sys.stderr)
    if not address.is_loopback:
        print("guiderail: others can reach this address, and the connection is not encrypted", file=sys.stderr)
    sys.stderr.flush()
