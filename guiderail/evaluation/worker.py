"""Answers tasks: one process with its models, analysers and checkers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from guiderail.engine.analysers import AnalyserPools
from guiderail.engine.engine import Engine
from guiderail.engine.suggestion import NOTHING, Suggestion
from guiderail.engine.time_limits import BATCH
from guiderail.evaluation.checkers.checker import CannotCheck
from guiderail.evaluation.checkers.judge import judge_for
from guiderail.evaluation.config import Config, Settings, System
from guiderail.evaluation.scoring import repetition, score
from guiderail.evaluation.task import Task

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.stages.stage import LogitsStage, StepState

KEPT_ERRORS = 5  # of an answer, in its record
# The settings with which an engine is loaded; the others are a request's.
LOADED = ("model", "api_key_env", "device", "dtype", "threads", "prompt_tokens", "cache_policy", "cache_mb")
NOBODY = (-1, "")  # a document that is not open

Row = dict[str, Any]


class Worker:
    """Whoever answers: an engine for each model, loaded when it is first needed.

    Parameters
    ----------
    config
        The run.
    hardware
        Where it runs, in a few words; every row repeats it.
    most
        Models in memory at once; by default all of the run's.

    Attributes
    ----------
    settings
        What all systems share.
    """

    def __init__(self, config: Config, hardware: str = "", *, most: int | None = None) -> None:
        self.settings = settings = config.settings
        self._hardware = hardware
        self._most = most or len(config.models)
        self._engines: dict[tuple[Any, ...], Engine] = {}
        self._analysers = AnalyserPools()
        self._judge = judge_for(settings.judge or settings.analyser, settings.trust)
        self._checked: dict[tuple[str, str], Row] = {}
        self._package = ""

    def answer(self, task: Task, system: System) -> list[Row]:
        """The rows of one task answered by one system: one for each sample."""
        if task.package != self._package:
            self._package = task.package
            self._analysers.forget(NOBODY)  # the analysers of all but the last packages end
        settings = system.settings(self.settings)
        engine, samples = self.engine(settings), system.method.samples
        request = (system.shown(task) if system.shown else task).request(settings, n=samples)
        stages = [_TimedStage(stage) for stage in system.stages(engine, request)] if system.stages else []
        began = time.perf_counter()
        completion = engine.complete(replace(request, stages=stages))
        found = [*completion.suggestions, *(replace(one, text="") for one in completion.dropped)][: request.n]
        seconds = time.perf_counter() - began
        # The prompt is encoded once for all systems of a task: its time would fall to the first one alone.
        seconds -= found[0].timings.prompt_s if found else 0.0
        seconds /= max(1, len(found))
        found += [NOTHING] * (samples - len(found))  # what the product keeps back is an empty answer
        more = {"seconds": seconds, "stage_ms": sum(stage.mean_ms for stage in stages)}
        return [self._row(task, system, index, one) | more for index, one in enumerate(found)]

    def engine(self, settings: Settings) -> Engine:
        """The engine with the model of some settings; one that was loaded before may have to go."""
        key = tuple(getattr(settings, name) for name in LOADED)
        if key not in self._engines:
            if len(self._engines) < self._most:
                engine = Engine(replace(BATCH, analyser_s=settings.deadline_s), analysers=self._analysers)
            else:
                engine = self._engines.pop(next(iter(self._engines)))
            engine.load(settings)
            self._engines[key] = engine
        return self._engines[key]

    def unload(self) -> None:
        """Give the memory of all models back."""
        for engine in self._engines.values():
            engine.unload()
        self._engines.clear()

    def stop(self) -> None:
        """End the analysers and checkers."""
        self._analysers.stop()
        self._judge.stop()

    def _row(self, task: Task, system: System, index: int, found: Suggestion) -> Row:
        answer = task.truncated(_inserted(task, found))
        # Of a method that has written more texts than it was asked for, these are no answers.
        shared_by = min(found.shared_by, system.method.samples)
        decode_s = found.timings.decode_s / shared_by
        return {
            "task": task.id,
            "system": system.label,
            "model": system.model,
            "method": system.method.label,
            "monitors": system.monitors,
            "sample": index,
            "samples": system.method.samples,
            "seed": self.settings.seed,
            "kind": task.kind,
            "package": task.package,
            "path": task.path,
            "start": task.start,
            "output": found.text,
            "answer": answer,
            **score(task, answer),
            **repetition(task, answer),
            "ended": float(found.finish != "length"),
            **self._check(task, answer),
            "finish": found.finish,
            "logprob": found.score,
            "tokens": len(found.token_ids),
            "passes": found.passes / shared_by,
            "pauses": found.pauses,
            **asdict(found.timings),
            "decode_s": decode_s,
            "tokens_per_s": (len(found.token_ids) - 1) / decode_s if len(found.token_ids) > 1 else 0.0,
            "monitored": asdict(found.monitored) if found.monitored else None,
            "hardware": self._hardware,
        }

    def _check(self, task: Task, answer: str) -> Mapping[str, Any]:
        """Whether the file compiles with the answer in it; the same answer is checked once."""
        if not self.settings.check:
            return {"compiles": None, "errors": [], "unchecked": "not asked for"}
        key = (task.id, answer)
        if key not in self._checked:
            try:
                errors = self._judge.new_errors(task, answer)
            except CannotCheck as error:
                self._checked[key] = {"compiles": None, "errors": [], "unchecked": str(error)}
            else:
                found = {"compiles": float(not errors), "errors": errors[:KEPT_ERRORS], "unchecked": None}
                self._checked[key] = found
        return self._checked[key]


class _TimedStage:
    """A stage, and the processor time that it takes."""

    def __init__(self, stage: LogitsStage) -> None:
        self._stage = stage
        self._seconds, self._steps = 0.0, 0

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        began = time.thread_time()
        changed = self._stage(logits, state)
        self._seconds += time.thread_time() - began
        self._steps += 1
        return changed

    @property
    def mean_ms(self) -> float:
        """Of a step."""
        return 1000 * self._seconds / max(1, self._steps)


def _inserted(task: Task, found: Suggestion) -> str:
    """A suggestion as a text that replaces nothing: without what it repeats of the text after the cursor."""
    return found.text.removesuffix(task.suffix[: found.end - found.start])
