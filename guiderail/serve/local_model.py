"""The model of this process as what completes for the HTTP server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, cast

from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.lsp.worker import CompletionEngine, Health, Job, Priority, Worker
from guiderail.model.info import ModelInfo
from guiderail.serve.backend import Share
from guiderail.serve.batches import Batches
from guiderail.serve.faults import RequestFault

MOST_PREPARED = 32  # jobs that wait for idle time
MOST_OPEN = 256  # documents of which something is kept


class LocalModel:
    """See `Backend`.

    Parameters
    ----------
    worker
        The thread that runs the model.
    """

    width = 1

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._batches = Batches(worker)
        self._open: OrderedDict[DocumentName, None] = OrderedDict()  # the latest last
        self._lock = Lock()
        self._prepared: list[Job] = []  # that wait for idle time
        self._preparing: dict[DocumentName, Job] = {}

    @property
    def health(self) -> Health:
        """See `Backend.health`."""
        self.worker.retry()
        return self.worker.health

    @property
    def has_model(self) -> bool:
        """See `Backend.has_model`."""
        return self.worker.has_model

    @property
    def info(self) -> ModelInfo:
        """See `Backend.info`."""
        return cast(Engine, self.worker.engine).described.info

    async def complete(self, request: CompletionRequest, turn: int) -> Share:
        """See `Backend.complete`."""
        self._opened(request)
        member = self._batches.join(request, turn)
        try:
            completion = await asyncio.shield(member.batch.done)
        except asyncio.CancelledError:
            if member.batch.job.cancelled:
                raise RequestFault(503, "the server is ending") from None
            raise
        finally:
            member.leave()
        self.prepare(request)  # context of other files, chosen anew where the cursor went or files changed
        return Share(completion, member.first)

    async def tokens(self, text: str) -> list[tuple[int, bytes]]:
        """See `Backend.tokens`."""

        def work(engine: CompletionEngine, _: Callable[[], bool]) -> list[tuple[int, bytes]]:
            tokenizer = cast(Engine, engine).model.tokenizer
            return [(token, tokenizer.token_bytes[token]) for token in tokenizer.encode(text)]

        return await asyncio.wrap_future(self.worker.submit(Job(Priority.CONTROL, work)).future)

    def prepare(self, request: CompletionRequest) -> None:
        """See `Backend.prepare`; of a file only the latest cursor counts."""
        if request.name is None or request.document.path is None:
            return
        self._opened(request)
        if earlier := self._preparing.get(request.name):
            earlier.cancel()
        work = self._in_idle_time(lambda engine, cancelled: engine.prepare(replace(request, n=1), cancelled))
        self._preparing[request.name] = work

    def warm(self, request: CompletionRequest) -> None:
        """See `Backend.warm`."""
        self._in_idle_time(lambda engine, cancelled: engine.warm(request, cancelled))

    def files_changed(self, paths: Sequence[Path]) -> None:
        """See `Backend.files_changed`."""
        self.worker.engine.files_changed(*paths)

    def saved(self, name: DocumentName) -> None:
        """See `Backend.saved`."""
        self.worker.engine.edited(name, None)

    def forget(self, name: DocumentName) -> None:
        """See `Backend.forget`."""
        with self._lock:
            self._open.pop(name, None)
        self._preparing.pop(name, None)
        self.worker.engine.edited(name, None)
        self.worker.submit(Job(Priority.CONTROL, lambda engine, _: engine.forget(name)))

    def _opened(self, request: CompletionRequest) -> None:
        """Note a document that is worked in; analysers see it as an editor that has it open would show it."""
        name = request.name
        if name is None:
            return
        with self._lock:
            is_new = name not in self._open
            self._open[name] = None
            self._open.move_to_end(name)
            oldest = next(iter(self._open)) if len(self._open) > MOST_OPEN else None
        if oldest is not None:
            self.forget(oldest)
        if request.document.path is not None:
            self.worker.engine.edited(name, request.document)
            if is_new:
                self.warm(request)

    def _in_idle_time(self, work: Callable[[CompletionEngine, Callable[[], bool]], Any]) -> Job:
        """Do something once nobody waits; of what waits itself, and holds its text, only the latest is kept."""
        self._prepared = [job for job in self._prepared if not job.future.done()]
        if len(self._prepared) == MOST_PREPARED:
            self._prepared.pop(0).cancel()
        self._prepared.append(self.worker.submit(Job(Priority.PREPARE, work)))
        return self._prepared[-1]
