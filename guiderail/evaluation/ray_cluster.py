"""The same run on a Ray cluster: one actor a GPU or CPU slot, every unit answered once whatever actors are lost.

The driver hands out units and is alone in writing, so a unit is in the results once; a unit whose actor dies goes back
to the front of the queue, and a new actor takes the place of the lost one.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from guiderail.errors import GuiderailError, UsageError
from guiderail.evaluation.config import Config, System
from guiderail.evaluation.task import Task

TRIES = 3  # of a unit whose actor died; more means that the unit itself kills them

Unit = tuple[Task, System]


class ClusterError(GuiderailError):
    """The cluster cannot be used, or loses every worker."""


class Remote:
    """What an actor runs: a worker that says which process it is."""

    def __init__(self, config: Config) -> None:
        from guiderail.evaluation.runner import hardware
        from guiderail.evaluation.worker import Worker

        self._worker = Worker(config, hardware())

    def answer(self, task: Task, system: System) -> list[dict[str, Any]]:
        """The rows of a unit."""
        return [row | {"worker": os.getpid()} for row in self._worker.answer(task, system)]


def run(config: Config, waiting: Sequence[Unit], slots: int | None = None) -> Iterator[list[dict[str, Any]]]:
    """The rows of every unit, in the order in which they come.

    Parameters
    ----------
    config
        The run.
    waiting
        What is to be done.
    slots
        Actors; by default one for each GPU of the cluster, or for each CPU where there is none.

    Raises
    ------
    ClusterError
        A unit's workers died too often, or a worker raised an error.
    UsageError
        Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed", "pip install 'guiderail[ray]'") from error
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    try:
        yield from _Pool(ray, config, slots).results(waiting)
    finally:
        if started:
            ray.shutdown()


class _Pool:
    """The actors of a run, each with at most one unit under way."""

    def __init__(self, ray: Any, config: Config, slots: int | None) -> None:
        found = ray.cluster_resources()
        gpus = int(found.get("GPU", 0))
        self._ray = ray
        self._slots = slots or gpus or max(1, int(found.get("CPU", 1)))
        # Threads of several workers on one machine would only wait for one another.
        threads = config.settings.threads or (0 if gpus else 1)
        self._config = replace(config, settings=replace(config.settings, threads=threads))
        # A slot asks for less than a CPU where more slots than CPUs are wanted.
        share = min(1.0, found.get("CPU", 1) / self._slots)
        self._actor = ray.remote(num_cpus=share, num_gpus=1 if gpus else 0, max_restarts=0)(Remote)
        self._under_way: dict[Any, tuple[Any, Unit]] = {}
        self._lost: Counter[tuple[str, str]] = Counter()

    def results(self, waiting: Sequence[Unit]) -> Iterator[list[dict[str, Any]]]:
        queue = deque(waiting)
        for _ in range(min(self._slots, len(queue))):
            self._give(self._actor.remote(self._config), queue)
        while self._under_way:
            [reference], _ = self._ray.wait(list(self._under_way), num_returns=1)
            actor, unit = self._under_way.pop(reference)
            try:
                rows = self._ray.get(reference)
            except self._ray.exceptions.RayActorError:
                self._count_loss(unit)
                queue.appendleft(unit)
                actor = self._actor.remote(self._config)
            except self._ray.exceptions.RayTaskError as error:
                raise ClusterError(f"a worker failed: {error.cause or error}") from error
            else:
                yield rows
            if queue:
                self._give(actor, queue)

    def _give(self, actor: Any, queue: deque[Unit]) -> None:
        unit = queue.popleft()
        self._under_way[actor.answer.remote(*unit)] = actor, unit

    def _count_loss(self, unit: Unit) -> None:
        task, system = unit
        self._lost[task.id, system.label] += 1
        if self._lost[task.id, system.label] == TRIES:
            remedy = "Give the workers more memory, or look at the task"
            raise ClusterError(f"{TRIES} workers died over {task.id}", remedy)
