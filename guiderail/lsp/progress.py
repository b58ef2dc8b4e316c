"""The editor's progress bar while a model is being loaded."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from lsprotocol import types

from guiderail.errors import sentences
from guiderail.lsp.worker import Health

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

PATIENCE = 2.0  # seconds that the client gets to make room for a progress bar


class LoadProgress:
    """Shows when loading begins and how it ends.

    Attributes
    ----------
    wanted
        Whether the client can show it.
    """

    def __init__(self, server: LanguageServer) -> None:
        self.wanted = False
        self._server = server
        self._loading: Health | None = None
        self._end = ""
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def follow(self, health: Health) -> None:
        """The model's state changed."""
        if not self.wanted:
            return
        self._loading = health if health.state == "loading" else None
        failed = sentences(health.message, health.remedy) or "given up"
        self._end = f"{health.model} is ready" if health.state == "ready" else failed
        self._changed.set()
        if self._loading and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._show(health))

    async def _show(self, begun: Health) -> None:
        token, protocol = str(uuid.uuid4()), self._server.protocol
        params = types.WorkDoneProgressCreateParams(token)
        created = protocol.send_request_async(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        done, _ = await asyncio.wait([created], timeout=PATIENCE)
        if not done or created.cancelled() or created.exception() is not None:
            return
        self._notify(token, types.WorkDoneProgressBegin(title="guiderail", message=begun.message, cancellable=False))
        shown = begun
        while self._loading:
            if self._loading != shown:
                shown = self._loading
                self._notify(token, types.WorkDoneProgressReport(message=shown.message))
            self._changed.clear()
            await self._changed.wait()
        self._notify(token, types.WorkDoneProgressEnd(message=self._end))

    def _notify(
        self,
        token: str,
        value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd,
    ) -> None:
        self._server.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))
