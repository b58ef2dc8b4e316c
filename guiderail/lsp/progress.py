"""The editor's progress bars."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import Future
from typing import Any

from lsprotocol import types

from guiderail.errors import sentences
from guiderail.lsp.connection import Connection
from guiderail.lsp.worker import Health

CREATE_S = 2.0  # seconds that the client gets to make room for a progress bar

_Step = types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd


class ProgressBar:
    """One progress bar; does nothing where the client shows none."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._token = ""

    @property
    def is_shown(self) -> bool:
        """Whether the client shows it."""
        return bool(self._token)

    @property
    def is_cancelled(self) -> bool:
        """Whether the person cancelled it."""
        future = self._cancellation
        return future is not None and future.cancelled()

    @property
    def _cancellation(self) -> Future[None] | None:
        return self._connection.progress.tokens.get(self._token)  # pygls cancels it with the bar

    async def begin(self, message: str, *, cancellable: bool = False) -> None:
        """Show it; one that can be cancelled shows per cent."""
        window = self._connection.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        token = str(uuid.uuid4())
        created = self._connection.send_request_async(
            types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token)
        )
        done, _ = await asyncio.wait([created], timeout=CREATE_S)
        if not done or created.cancelled() or created.exception() is not None:
            return
        self._token = token
        if cancellable:
            self._connection.progress.tokens[token] = Future()
        percentage = 0 if cancellable else None
        self._send(
            types.WorkDoneProgressBegin("guiderail", cancellable=cancellable, message=message, percentage=percentage)
        )

    def on_cancel(self, work: asyncio.Future[Any]) -> None:
        """Cancel work when the person cancels the bar."""
        if self._cancellation is not None:
            self._cancellation.add_done_callback(lambda done: work.cancel() if done.cancelled() else None)

    def report(self, message: str, percentage: int | None = None) -> None:
        """Show how far it is."""
        if not self.is_cancelled:
            self._send(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self, message: str) -> None:
        """Remove it."""
        if self._connection.is_open:
            self._send(types.WorkDoneProgressEnd(message=message))

    def _send(self, step: _Step) -> None:
        if self._token:
            self._connection.notify(types.PROGRESS, types.ProgressParams(self._token, step))


class LoadProgress:
    """Shows when loading a model begins and how it ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loading: Health | None = None
        self._end = ""
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def follow(self, health: Health) -> None:
        """Follow a change of the model's state."""
        self._loading = health if health.state == "loading" else None
        failed = sentences(health.message, health.remedy) or "given up"
        self._end = f"{health.model} is ready" if health.state == "ready" else failed
        self._changed.set()
        if self._loading and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._show(health))

    async def _show(self, begun: Health) -> None:
        bar = ProgressBar(self._connection)
        await bar.begin(begun.message)
        shown = begun
        while bar.is_shown and self._loading:
            if self._loading != shown:
                shown = self._loading
                bar.report(shown.message)
            self._changed.clear()
            await self._changed.wait()
        bar.end(self._end)
