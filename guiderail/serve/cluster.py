"""Replicas of the model on a Ray cluster as what completes for the HTTP server.

This process has the HTTP server and finds the files; Ray Serve starts the replicas, watches them, adds some under load,
and chooses one for each request. What a replica keeps of a document is one of its *models* in Ray Serve's sense (model
multiplexing): requests of the document go to the replica that has it, and those of a new document to the one that has
fewest. A request whose replica dies is given to another one; its answer is read once.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.errors import UsageError
from guiderail.lsp.worker import Health
from guiderail.model.info import ModelInfo
from guiderail.serve.backend import Share
from guiderail.serve.faults import RequestFault
from guiderail.settings import Settings

log = logging.getLogger(__name__)

NEEDED = ("ray", "grpc", "fastapi")  # Ray alone is installed without the libraries of Ray Serve
TRIES = 4  # of a request whose replica died; more means that the request itself kills them
ONGOING = 16  # requests that a replica takes; of more, those for its documents go to another one
BUSY = 2  # requests at a replica on average, over which another one is started
CPUS = 4  # that a replica has where there is no GPU
AGAIN_S = 5.0  # between two looks at a model that was not there: its server may have been down
UP_S, DOWN_S = 5.0, 300.0  # of load, or of none, until a replica is started or ended


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many replicas there are.

    Parameters
    ----------
    least, most
        Bounds; `most` is None for one for each GPU of the cluster, or for every `CPUS` cores where there is none.
    """

    least: int = 1
    most: int | None = None


class RayModel:
    """See `Backend`.

    Parameters
    ----------
    settings
        Of the model, which all replicas load.
    replicas
        How many there are.
    """

    def __init__(self, settings: Settings, replicas: Replicas) -> None:
        self._settings = settings
        self._replicas = replicas
        self._health = Health("loading", model=settings.model)
        self._info: ModelInfo | None = None
        self._handle: Any = None
        self._ending = threading.Event()
        self._application = f"guiderail-{uuid.uuid4().hex}"  # others may serve on the same cluster
        self._owns = False  # whether the cluster was started here
        self.width = replicas.most or replicas.least

    def start(self, tell: Callable[[Health], object]) -> None:
        """Start the cluster if there is none, and the replicas, in a thread; `tell` is called with their state.

        The thread stays: Linux ends the processes of a cluster with the thread that started them.
        """

        def run() -> None:
            try:
                self._health = self._started()
            except Exception as error:  # of Ray, whatever it is
                log.error("the replicas did not start: %s", type(error).__name__, exc_info=log.isEnabledFor(10))
                remedy = "Look into Ray's log: ray logs, or /tmp/ray/session_latest/logs"
                self._health = Health("error", "the replicas of the model did not start", remedy, self._settings.model)
            tell(self._health)
            while not self._ending.wait(AGAIN_S):
                self._look_again()
            self._stop()

        self._thread = threading.Thread(target=run, name="guiderail-ray", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the replicas, and the cluster if it was started here; wait for that so long."""
        started = _processes_of_ray() if self._owns else ()
        self._ending.set()
        self._thread.join(seconds)
        for process in started:  # some of Ray's agents ignore that their node is gone
            with suppress(psutil.Error):
                process.kill()

    def _stop(self) -> None:
        import ray
        from ray import serve

        with suppress(Exception):
            if self._owns:
                ray.shutdown()  # the cluster with all that is in it
            else:
                serve.delete(self._application, _blocking=False)

    @property
    def health(self) -> Health:
        """See `Backend.health`."""
        return self._health

    @property
    def has_model(self) -> bool:
        """See `Backend.has_model`."""
        return self._info is not None

    @property
    def info(self) -> ModelInfo:
        """See `Backend.info`."""
        assert self._info is not None, "whoever asks has looked whether there is a model"
        return self._info

    async def complete(self, request: CompletionRequest, turn: int) -> Share:
        """See `Backend.complete`."""
        return await self._call("complete", _key(request), request, turn)

    async def tokens(self, text: str) -> list[tuple[int, bytes]]:
        """See `Backend.tokens`."""
        return await self._call("tokens", "", text)

    def prepare(self, request: CompletionRequest) -> None:
        """See `Backend.prepare`."""
        if request.document.path is not None:
            self._of(_key(request)).prepare.remote(request)

    def warm(self, request: CompletionRequest) -> None:
        """Nothing: a replica starts the analysers of the projects whose documents come to it."""

    def files_changed(self, paths: Sequence[Path]) -> None:
        """See `Backend.files_changed`."""
        self._tell_all("files_changed", paths)

    def saved(self, name: DocumentName) -> None:
        """See `Backend.saved`."""
        self._tell_all("saved", name)

    def forget(self, name: DocumentName) -> None:
        """See `Backend.forget`."""
        self._tell_all("forget", name)

    async def _call(self, method: str, key: str, *arguments: Any) -> Any:
        """What a replica answers; another one is asked if it dies meanwhile."""
        from ray.exceptions import RayActorError

        from guiderail.serve.replica import Failed

        for _ in range(TRIES):
            response = getattr(self._of(key), method).remote(*arguments)
            try:
                found = await response
            except asyncio.CancelledError:
                response.cancel()
                raise
            except RayActorError:
                log.warning("a replica died: its request is given to another one")
                continue
            if isinstance(found, Failed):
                raise RequestFault(found.status, found.message, found.remedy)
            return found
        raise RequestFault(503, f"{TRIES} replicas died over this request", "Give them more memory, or look at the log")

    def _of(self, key: str) -> Any:
        """The deployment, with the wish for the replica that has this document."""
        return self._handle.options(multiplexed_model_id=key) if key else self._handle

    def _tell_all(self, method: str, *arguments: Any) -> None:
        """Tell all replicas something; one that starts meanwhile reads from the disk what it must know."""
        if self._handle is not None:
            self._handle.broadcast(method, *arguments)

    def _started(self) -> Health:
        import ray
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.ERROR)  # it prints
        self._owns = not os.environ.get("RAY_ADDRESS")
        ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        deployment, self.width = _deployment(self._settings, self._replicas, ray.cluster_resources())
        serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
        self._handle = serve.run(deployment, name=self._application, route_prefix=None)
        return self._described()

    def _described(self) -> Health:
        """The state of the model, which a replica tells; it loads again what could not be loaded."""
        health, self._info = self._handle.described.remote().result()
        return replace(health, device=f"{health.device}, up to {self.width} replicas")

    def _look_again(self) -> None:
        """Ask again about a model that was not there."""
        if self._handle is not None and self._info is None:
            with suppress(Exception):  # of Ray: the replica may have died, and another one is on its way
                self._health = self._described()


def _processes_of_ray() -> list[psutil.Process]:
    """The processes of the cluster that this one started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile
            command = " ".join(process.cmdline())
            if command.startswith("ray::") or "/ray/" in command:
                found.append(process)
    return found


def check_installed() -> None:
    """Raise UsageError unless Ray Serve is there; decide what Ray may tell others before it is imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to Ray's makers
    if not os.environ.get("RAY_ADDRESS"):
        # The ports of a cluster that is started here are open to other users of the machine: they need a token.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        if os.environ["RAY_AUTH_MODE"] == "token" and not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise UsageError("Ray Serve is not installed", "pip install 'guiderail[ray]'")


def _deployment(settings: Settings, replicas: Replicas, found: Mapping[str, float]) -> tuple[Any, int]:
    """The deployment on a cluster with these resources, and how many replicas it has at most."""
    from ray import serve

    from guiderail.serve.replica import Replica

    gpus, cpus = int(found.get("GPU", 0)), max(1, int(found.get("CPU", 1)))
    most = max(replicas.least, replicas.most or gpus or cpus // CPUS)
    # Threads of several replicas on one machine would only wait for one another.
    settings = replace(settings, threads=settings.threads or (0 if gpus else max(1, min(CPUS, cpus // most))))
    # A replica asks for less than a CPU where more of them are wanted than there are CPUs.
    share = {"num_gpus": 1, "num_cpus": 1} if gpus else {"num_cpus": min(float(settings.threads), cpus / most)}
    scaling = {
        "min_replicas": replicas.least, "max_replicas": most, "initial_replicas": replicas.least,
        "target_ongoing_requests": BUSY, "upscale_delay_s": UP_S, "downscale_delay_s": DOWN_S,
        "metrics_interval_s": 1.0, "look_back_period_s": UP_S,
    }  # fmt: skip
    make: Any = serve.deployment  # it can also be given no class
    deployment = make(Replica).options(
        name="model", autoscaling_config=scaling, max_ongoing_requests=ONGOING, ray_actor_options=share,
        graceful_shutdown_timeout_s=20.0, health_check_period_s=2.0,
    )  # fmt: skip
    return deployment.bind(settings), most


def _key(request: CompletionRequest) -> str:
    """The name of a document among all clients' ones."""
    return f"{request.client}:{request.uri}"
