"""One replica of the model on a Ray cluster: an actor of Ray Serve with a model, a cache and analysers of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import serve

from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.errors import GuiderailError
from guiderail.lsp import logfile
from guiderail.lsp.worker import Health, Worker
from guiderail.model.info import ModelInfo
from guiderail.serve.backend import Share
from guiderail.serve.faults import fault_of
from guiderail.serve.limits import SERVING
from guiderail.serve.local_model import MOST_OPEN, LocalModel
from guiderail.settings import Settings

LOOK_S = 0.05  # between two looks whether the model is loaded


@dataclass(frozen=True, slots=True)
class Failed:
    """An error of a request as a result: of one that is raised in an actor Ray would log the words.

    Parameters
    ----------
    status, message, remedy
        As of `RequestFault`.
    """

    status: int
    message: str
    remedy: str

    @classmethod
    def of(cls, error: GuiderailError) -> Failed:
        """The result for an error."""
        fault = fault_of(error)
        return cls(fault.status, fault.message, fault.remedy)


class Kept:
    """What a replica keeps of one document; for Ray Serve it is a model that is loaded here and not elsewhere."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self._names: set[DocumentName] = set()

    def add(self, name: DocumentName | None) -> None:
        """Note the document's name."""
        if name is not None:
            self._names.add(name)

    def __del__(self) -> None:
        """Drop it: Ray Serve calls this for the document that was not asked about for longest."""
        while self._names:
            self._model.forget(self._names.pop())


class Replica:
    """See `Backend`, of which the methods here are the other side.

    A model that cannot be loaded does not end the replica, which says so to whoever asks.

    Parameters
    ----------
    settings
        Of the model.
    """

    def __init__(self, settings: Settings) -> None:
        logfile.start(settings.log_level, "serve-replica")
        worker = Worker(Engine(SERVING, stays=True))
        self._model = LocalModel(worker)
        worker.start()
        worker.load(settings)
        while worker.health.state == "loading":
            time.sleep(LOOK_S)

    def described(self) -> tuple[Health, ModelInfo | None]:
        """The state of the model, and what is known about it."""
        return self._model.health, self._model.info if self._model.has_model else None

    async def complete(self, request: CompletionRequest, turn: int) -> Share | Failed:
        """See `Backend.complete`."""
        (await self._kept()).add(request.name)
        self._model.health  # noqa: B018 (a model server that could not be reached is asked again)
        try:
            return await self._model.complete(request, turn)
        except GuiderailError as error:
            return Failed.of(error)

    async def tokens(self, text: str) -> list[tuple[int, bytes]] | Failed:
        """See `Backend.tokens`."""
        try:
            return await self._model.tokens(text)
        except GuiderailError as error:
            return Failed.of(error)

    async def prepare(self, request: CompletionRequest) -> None:
        """See `Backend.prepare`."""
        (await self._kept()).add(request.name)
        self._model.prepare(request)

    def warm(self, request: CompletionRequest) -> None:
        """See `Backend.warm`."""
        self._model.warm(request)

    def files_changed(self, paths: Sequence[Path]) -> None:
        """See `Backend.files_changed`."""
        self._model.files_changed(paths)

    def saved(self, name: DocumentName) -> None:
        """See `Backend.saved`."""
        self._model.saved(name)

    def forget(self, name: DocumentName) -> None:
        """See `Backend.forget`."""
        self._model.forget(name)

    async def _kept(self) -> Kept:
        """What is kept of the document that the call is about; from now on its calls come here."""
        document: Any = self._document  # Ray Serve's decorator has no types
        return await document(serve.get_multiplexed_model_id())

    @serve.multiplexed(max_num_models_per_replica=MOST_OPEN)
    async def _document(self, key: str) -> Kept:
        return Kept(self._model)
