"""Answers tasks: one process with its models, analysers and checkers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.engine.analysers import AnalyserPools
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import NOTHING, Suggestion
from guiderail.engine.time_limits import BATCH
from guiderail.evaluation.checkers.checker import CannotCheck, judge_for
from guiderail.evaluation.config import SYNTAX, Config, System
from guiderail.evaluation.scoring import repetition, score
from guiderail.evaluation.syntax_mask import SyntaxMask
from guiderail.evaluation.task import Task
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import LogitsStage

KEPT_ERRORS = 5  # of an answer, in its record


class Worker:
    """Whoever answers: an engine for each model, loaded when it is first needed.

    Parameters
    ----------
    config
        The run.
    hardware
        Where it runs, in a few words; every row repeats it.
    """

    def __init__(self, config: Config, hardware: str = "") -> None:
        self._config = config
        self._hardware = hardware
        self._engines: dict[str, Engine] = {}
        self._analysers = AnalyserPools()
        self._judge = judge_for(config.settings.analyser)
        self._checked: dict[tuple[str, str], dict[str, Any]] = {}

    def answer(self, task: Task, system: System) -> list[dict[str, Any]]:
        """The rows of one task answered by one system: one for each sample."""
        engine, request = self._engine(system.model), self._request(task, system)
        began = time.perf_counter()
        completion = engine.complete(request)
        found = [*completion.suggestions, *(replace(one, text="") for one in completion.dropped)][: request.n]
        seconds = time.perf_counter() - began
        # The prompt is encoded once for all systems of a task: its time would fall to the first one alone.
        seconds -= found[0].timings.prompt_s if found else 0.0
        seconds /= max(1, len(found))
        found += [NOTHING] * (request.n - len(found))  # what the product keeps back is an empty answer
        return [self._row(task, system, index, one, seconds) for index, one in enumerate(found)]

    def stop(self) -> None:
        """End the analysers and checkers."""
        self._analysers.stop()
        self._judge.stop()

    def _row(self, task: Task, system: System, index: int, found: Suggestion, seconds: float) -> dict[str, Any]:
        answer = task.truncated(_inserted(task, found))
        decode_s = found.timings.decode_s / found.shared_by
        return {
            "task": task.id,
            "system": system.label,
            "model": system.model,
            "method": system.method.label,
            "monitors": system.monitors,
            "sample": index,
            "seed": self._config.settings.seed,
            "kind": task.kind,
            "package": task.package,
            "output": found.text,
            "answer": answer,
            **score(task, answer),
            **repetition(task, answer),
            "ended": float(found.finish != "length"),
            **self._check(task, answer),
            "finish": found.finish,
            "tokens": len(found.token_ids),
            "passes": found.passes / found.shared_by,
            "pauses": found.pauses,
            "seconds": seconds,
            **asdict(found.timings),
            "decode_s": decode_s,
            "tokens_per_s": (len(found.token_ids) - 1) / decode_s if len(found.token_ids) > 1 else 0.0,
            "monitored": asdict(found.monitored) if found.monitored else None,
            "hardware": self._hardware,
        }

    def _request(self, task: Task, system: System) -> CompletionRequest:
        settings = replace(system.settings(self._config.settings), until=task.until)
        if task.root is None:  # as with the tasks of published benchmarks: there is nothing to analyse
            settings = replace(settings, monitors=False)
        request = CompletionRequest(
            document=Document(task.prefix + task.suffix, (task.root or Path()) / task.path, task.language),
            offset=len(task.prefix),
            root=task.root,
            settings=settings,
            n=system.method.samples,
            distinct=system.method.samples == 1,
            snippets=task.snippets or None,
            by_hand=True,
        )
        return replace(request, stages=self._syntax(request, system.model)) if system.monitors == SYNTAX else request

    def _syntax(self, request: CompletionRequest, model: str) -> tuple[LogitsStage, ...]:
        if request.document.language != "python":
            return ()
        engine = self._engine(model)
        before = request.document.text[: request.offset - len(engine.typed(request))]
        return (SyntaxMask(before, engine.model.tokenizer.token_bytes),)

    def _engine(self, model: str) -> Engine:
        if model not in self._engines:
            limits = replace(BATCH, analyser_s=self._config.settings.deadline_s)
            engine = Engine(limits, analysers=self._analysers)
            engine.load(replace(self._config.settings, model=model))
            self._engines[model] = engine
        return self._engines[model]

    def _check(self, task: Task, answer: str) -> Mapping[str, Any]:
        """Whether the file compiles with the answer in it; the same answer is checked once."""
        if not self._config.settings.check:
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


def _inserted(task: Task, found: Suggestion) -> str:
    """A suggestion as a text that replaces nothing: without what it repeats of the text after the cursor."""
    return found.text.removesuffix(task.suffix[: found.end - found.start])
