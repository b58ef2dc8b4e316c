"""The server of one client: puts its state, its connection and its handlers together."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import asdict
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from guiderail import __version__
from guiderail.engine.free_memory import is_long
from guiderail.lsp import logfile
from guiderail.lsp.client import ClientState
from guiderail.lsp.configuration import read
from guiderail.lsp.connection import Connection
from guiderail.lsp.converter import converter
from guiderail.lsp.frame_parser import FrameError
from guiderail.lsp.handlers.commands import CommandHandlers
from guiderail.lsp.handlers.completion import PREFETCH_DELAY_S, CompletionHandlers
from guiderail.lsp.handlers.configuration import ConfigurationHandlers
from guiderail.lsp.handlers.documents import DocumentHandlers
from guiderail.lsp.handlers.files import FileHandlers
from guiderail.lsp.handlers.lifecycle import CONFIGURATION_TIMEOUT_S, LifecycleHandlers
from guiderail.lsp.handlers.next_edits import NextEditHandlers
from guiderail.lsp.model_offer import ModelOffer
from guiderail.lsp.policy import Policy
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.progress import LoadProgress
from guiderail.lsp.scheduler import Scheduler
from guiderail.lsp.status_publisher import StatusPublisher
from guiderail.lsp.suggestion_log import Change, ShownItem
from guiderail.lsp.transport import FRAME_LIMIT, frames
from guiderail.lsp.worker import Health

log = logging.getLogger(__name__)

SAVE_S = 60.0  # seconds after which counts are saved
UNAUTHENTICATED_FRAME_LIMIT = 1_000_000  # bytes of a frame before `initialize`


class Server(LanguageServer):
    """The server of one client.

    Parameters
    ----------
    process
        What all clients of this process share.
    configuration_timeout_s, prefetch_delay_s
        See `LifecycleHandlers` and `CompletionHandlers`.

    Attributes
    ----------
    client
        The client's state.
    gone
        Set to the exit code when the client said `exit`, or is lost.
    """

    protocol: Connection  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        process: ServerProcess,
        *,
        configuration_timeout_s: float = CONFIGURATION_TIMEOUT_S,
        prefetch_delay_s: float = PREFETCH_DELAY_S,
    ) -> None:
        super().__init__(
            "guiderail",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=Connection,
            converter_factory=converter,
        )
        self.loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[int] = self.loop.create_future()
        policy = Policy(read({}, process.flags, os.environ, None))
        self.client = ClientState(process, policy, Scheduler(process.worker))
        self.client.suggestions.on_change = self._count
        self._saving: asyncio.TimerHandle | None = None
        self._status = StatusPublisher(self.client, self.protocol)
        self._progress = LoadProgress(self.protocol)
        self._offer = self._register_handlers(configuration_timeout_s, prefetch_delay_s)
        process.worker.watchers.append(self._watch_health)

    def _register_handlers(self, configuration_timeout_s: float, prefetch_delay_s: float) -> ModelOffer:
        client, connection, status = self.client, self.protocol, self._status
        configuration = ConfigurationHandlers(client, connection, status)
        offer = ModelOffer(client, connection, configuration.reload)
        LifecycleHandlers(
            client,
            connection,
            configuration,
            on_ready=offer.begin,
            on_exit=self.leave,
            timeout_s=configuration_timeout_s,
        ).register()
        configuration.register()
        self._next_edits = NextEditHandlers(client, connection)
        self._next_edits.register()
        DocumentHandlers(
            client, connection, status, warn=configuration.warn, next_edits=self._next_edits.edits
        ).register()
        FileHandlers(client, connection, status, configuration).register()
        CompletionHandlers(
            client, connection, status, warn=configuration.warn, prefetch_delay_s=prefetch_delay_s
        ).register()
        self._commands = CommandHandlers(client, connection, status, configuration)
        self._commands.register()
        return offer

    def close(self) -> None:
        """End this client's work; the worker goes on for others."""
        client, worker = self.client, self.client.worker
        client.process.clients.discard(client)
        if self._watch_health in worker.watchers:
            worker.watchers.remove(self._watch_health)
        had_long = is_long(buffer.text for buffer in client.buffers.values())
        self._offer.stop()
        self._commands.close()
        self._next_edits.edits.close()
        self._save_counts()
        self.protocol.cancel_exclusive()
        client.close()
        if had_long:
            worker.release_memory()

    async def handle_messages(self, reader: asyncio.StreamReader) -> int:
        """Handle messages until the client leaves or is lost; return the exit code."""
        listening = asyncio.ensure_future(self._receive_from(reader))
        try:
            await asyncio.wait([listening, self.gone], return_when=asyncio.FIRST_COMPLETED)
            if self.gone.done():
                return self.gone.result()
            error = listening.exception()
            if isinstance(error, FrameError):
                log.error("giving up a client: %s", error)
                self.protocol.end_with(str(error))
            elif error is not None:
                raise error
            return 0 if self.protocol.is_ending else 1
        finally:
            listening.cancel()

    async def _receive_from(self, reader: asyncio.StreamReader) -> None:
        limit = lambda: FRAME_LIMIT if self.protocol.is_initialized else UNAUTHENTICATED_FRAME_LIMIT  # noqa: E731
        async for body in frames(reader, limit):
            self.client.process.stalls.expect()
            self.protocol.receive(body)
            # A request's handler begins before the next message is taken, so that it sees the text as it was.
            await asyncio.sleep(0)
            await self.protocol.wait_for_exclusive()

    def leave(self, code: int) -> None:
        """End the connection."""
        if not self.gone.done():
            self.gone.set_result(code)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log a handler's failure; a person can do nothing about it, and its message may quote source."""
        level = logging.INFO if isinstance(error, JsonRpcException) else logging.ERROR
        log.log(level, "failed: %s at %s", type(error).__name__, logfile.location_of(error))

    def _count(self, shown: ShownItem, change: Change) -> None:
        """Count what became of a suggestion."""
        client = self.client
        language = shown.request.document.language or ""
        client.process.usage.count(language, client.worker.health.model, **asdict(change))
        if change.shown:
            client.followed.follow(shown)
        if change.accepted and (followed := client.followed.accepted(shown)) is not None:
            client.learn(followed, right=True)
        if self._saving is None:
            self._saving = self.loop.call_later(SAVE_S, self._save_counts)

    def _save_counts(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        self.client.process.save()

    def _watch_health(self, health: Health) -> None:
        """Pass on the worker's new state; called on any thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._health_changed, health)

    def _health_changed(self, health: Health) -> None:
        if health.state == "loading":
            self.client.scheduler.forget_answers()
        if self.protocol.is_open:
            self._progress.follow(health)
            self._status.publish()
