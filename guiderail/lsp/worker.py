"""The thread that runs the model for all documents and clients."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from guiderail.engine.completion import Completion
from guiderail.engine.engine import Cancelled, Engine
from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.engine.stream import TextStream
from guiderail.engine.time_limits import TYPING
from guiderail.errors import GuiderailError, UnavailableError
from guiderail.lsp.logfile import location_of
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.settings import Settings
from guiderail.text.document import Document

log = logging.getLogger(__name__)


RETRY_S = 5.0  # after a model server could not be reached
# Settings of which a change needs the model loaded anew.
LOADED = (
    "model", "api_key_env", "draft_model", "device", "dtype", "threads", "prompt_tokens", "cache_policy", "cache_mb",
)  # fmt: skip


class CompletionEngine(Protocol):
    """What the server needs of an engine; `guiderail.engine.engine.Engine` says what each method does.

    All is called on the worker's thread, but for `edited`, `files_changed`, `knows` and `reference_finder`.
    """

    name: str
    device: str

    def load(self, settings: Settings) -> None: ...
    def unload(self) -> None: ...
    def recover(self) -> None: ...
    def release_memory(self) -> None: ...
    def stop_analysers(self) -> None: ...
    def complete(
        self, request: CompletionRequest, cancelled: Cancelled, stream: TextStream | None = None
    ) -> Completion: ...
    def prepare(self, request: CompletionRequest, cancelled: Cancelled) -> None: ...
    def warm(self, request: CompletionRequest, cancelled: Cancelled) -> None: ...
    def edited(self, name: DocumentName, document: Document | None) -> None: ...
    def forget(self, name: DocumentName) -> None: ...
    def files_changed(self, *paths: Path) -> None: ...
    def knows(self, folder: Path) -> bool: ...
    def reference_finder(self, request: CompletionRequest, *, start: bool = True) -> Analyser | None: ...


class Priority(IntEnum):
    """The order of jobs; a waiting one of a lower number interrupts a running one, unless that is a request."""

    CONTROL = 0
    REQUEST = 1
    PREFETCH = 2
    PREPARE = 3


class FailedJobError(GuiderailError):
    """A job ended by an unforeseen failure, such as memory running out."""


class Job:
    """A piece of work for the engine.

    Parameters
    ----------
    priority
        Its place in the queue.
    work
        Called on the worker's thread with the engine and a function that says whether to stop.
    client
        The number of the client that it is done for; those who wait take turns.

    Attributes
    ----------
    future
        Its result; cancelled when the work was given up before it began.
    """

    def __init__(
        self, priority: Priority, work: Callable[[CompletionEngine, Callable[[], bool]], Any], client: int = -1
    ) -> None:
        self.priority = priority
        self.work = work
        self.client = client
        self.future: Future[Any] = Future()
        self.cancelled = False
        self.order = 0

    def cancel(self) -> None:
        """Cancel it: at once if it waits, else at its next forward pass."""
        self.cancelled = True
        self.future.cancel()


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the model.

    Parameters
    ----------
    state
        ``off`` before the first load and when it was given up.
    message, remedy
        What is wrong, and what to do.
    model, device
        What is loaded.
    """

    state: Literal["off", "loading", "ready", "error"] = "off"
    message: str = ""
    remedy: str = ""
    model: str = ""
    device: str = ""


class Worker:
    """Runs jobs one after the other; a failing job fails alone.

    Parameters
    ----------
    engine
        What the jobs are given.
    """

    def __init__(self, engine: CompletionEngine | None = None) -> None:
        self.engine: CompletionEngine = engine or Engine(TYPING, stays=True)
        self.health = Health()
        self.watchers: list[Callable[[Health], None]] = []
        self._wanted: tuple[object, ...] | None = None  # by the clients
        self._held: tuple[object, ...] | None = None  # by the engine; None also of one that is to be loaded anew
        self._latest = Settings()  # that were asked for last
        self._refused: Settings | None = None  # with which the last load failed
        self._retry_at: float | None = None  # when the last load failed for want of a server
        self._jobs: list[Job] = []
        self._turns: dict[int, int] = {}  # when a client had its last one, of those that still wait
        self._count = itertools.count()
        self._change = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="guiderail-model", daemon=True)

    @property
    def has_model(self) -> bool:
        """Whether a model is loaded."""
        return self._held is not None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Cancel all work and end the thread; False if it still runs after that time (a model being loaded)."""
        with self._change:
            self._closing = True
            jobs, self._jobs = self._jobs, []
            self._change.notify()
        for job in jobs:
            job.cancel()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def submit(self, job: Job) -> Job:
        """Queue a job; a closing worker cancels it."""
        with self._change:
            if self._closing:
                job.cancel()
                return job
            job.order = next(self._count)
            # What was given up holds its document's text: it must not wait here while a model is being loaded.
            self._jobs = [*(other for other in self._jobs if not other.cancelled), job]
            self._change.notify()
        return job

    def load(self, settings: Settings, *, again: bool = False) -> None:
        """Load the model of these settings unless it is loaded or loading; `again` loads it anew."""
        wanted = tuple(getattr(settings, key) for key in LOADED)
        self._latest = settings
        # A method that does not suit the model is refused at once too: other settings may do.
        was_refused = self._refused is not None and self._refused != settings
        if wanted == self._wanted and not was_refused and (not again or self.health.state == "loading"):
            return
        self._refused = None
        self._wanted = wanted
        if again:
            self._held = None
        self._report(Health("loading", f"loading model {settings.model}", model=settings.model))
        self.submit(Job(Priority.CONTROL, lambda engine, _: self._load(engine, wanted)))

    def retry(self) -> None:
        """Load again a model whose server could not be reached, some seconds after the last time."""
        if self._retry_at is not None and self.health.state == "error" and time.monotonic() >= self._retry_at:
            self.load(self._latest, again=True)

    def unload(self) -> None:
        """Unload the model."""
        self._wanted = None
        self._report(Health("off"))
        self.submit(Job(Priority.CONTROL, lambda engine, _: self._unload(engine)))

    def release_memory(self) -> None:
        """Free the memory of a long document that was closed."""
        self.submit(Job(Priority.PREPARE, lambda engine, _: engine.release_memory()))

    def _unload(self, engine: CompletionEngine) -> None:
        if self._wanted is None:  # else one was asked for meanwhile
            self._held = None
            engine.unload()

    def _load(self, engine: CompletionEngine, wanted: tuple[object, ...]) -> None:
        if wanted != self._wanted:
            return  # another one was asked for meanwhile
        settings = self._latest
        health = self._ready() if wanted == self._held else self._loaded(engine, settings, wanted)
        if wanted != self._wanted:  # another one is on its way, or none is wanted any more
            return
        if health.state == "error" and self._latest != settings:
            self._load(engine, wanted)  # settings that came meanwhile may do
        else:
            self._report(health)

    def _loaded(self, engine: CompletionEngine, settings: Settings, wanted: tuple[object, ...]) -> Health:
        """Load a model, and return its state."""
        self._held = self._retry_at = None
        try:
            engine.load(settings)
        except GuiderailError as error:
            self._retry_at = time.monotonic() + RETRY_S if isinstance(error, UnavailableError) else None
            self._refused = settings if wanted == self._wanted else None
            log.error("cannot load the model: %s", error)
            return Health("error", error.message, error.remedy, settings.model)
        except BaseException as error:
            return self._failure(error)
        self._held, self._refused = wanted, None
        log.info("loaded model %s on %s", engine.name, engine.device)
        return self._ready()

    def _ready(self) -> Health:
        return Health("ready", model=self.engine.name, device=self.engine.device)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if job.future.set_running_or_notify_cancel():
                self._do(job)
        self.engine.stop_analysers()

    def _next(self) -> Job | None:
        with self._change:
            while not self._jobs and not self._closing:
                self._change.wait()
            if self._closing:
                return None
            job = min(self._jobs, key=lambda job: (job.priority, self._turns.get(job.client, -1), job.order))
            self._jobs.remove(job)
            waiting = {other.client for other in self._jobs}
            turns = self._turns | {job.client: next(self._count)}
            self._turns = {client: turn for client, turn in turns.items() if client in waiting}
            return job

    def _do(self, job: Job) -> None:
        try:
            result = job.work(self.engine, lambda: self._should_stop(job))
        except UnavailableError as error:  # the next answer ends this state
            self._report(Health("error", error.message, error.remedy, self.engine.name, self.engine.device))
            job.future.set_exception(error)
        except GuiderailError as error:
            job.future.set_exception(error)
        except BaseException as error:  # the thread must outlive whatever a job does
            health = self._failure(error)
            self._report(health)
            job.future.set_exception(FailedJobError(health.message, health.remedy))
        else:
            job.future.set_result(result)
            if job.priority == Priority.REQUEST and self.health.state == "error":
                self._report(self._ready())

    def _should_stop(self, job: Job) -> bool:
        if job.cancelled or self._closing:
            return True
        if job.priority <= Priority.REQUEST:
            return False
        return any(other.priority < job.priority and not other.cancelled for other in tuple(self._jobs))

    def _failure(self, error: BaseException) -> Health:
        """Log an unexpected failure, recover the engine, and return the state."""
        log.error("the model failed: %s at %s", type(error).__name__, location_of(error), exc_info=log.isEnabledFor(10))
        error.__traceback__ = None  # its frames hold the tensors that took the memory
        try:
            self.engine.recover()
        except BaseException as second:
            self._held = None
            log.error("the engine could not recover: %s at %s", type(second).__name__, location_of(second))
        if _is_memory(error):
            message, remedy = "there is not enough memory", "Choose a smaller model, or fewer prompt_tokens"
        else:
            message, remedy = f"internal error: {type(error).__name__}", "See the log (command guiderail.showLog)"
        return Health("error", message, remedy, self.engine.name, self.engine.device)

    def _report(self, health: Health) -> None:
        self.health = health
        for watcher in tuple(self.watchers):
            watcher(health)


def _is_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's, the GPU's, or torch's on the CPU (a plain RuntimeError)."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "t allocate" in str(error)
