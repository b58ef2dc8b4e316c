"""Answers tasks: one process with its models, analysers and checkers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.engine.completer import Completer
from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import Suggestion
from guiderail.evaluation.checkers.checker import CannotCheck, judge_for
from guiderail.evaluation.config import OFF, SYNTAX, Config, System
from guiderail.evaluation.judge import judge, repetition
from guiderail.evaluation.syntax_mask import SyntaxMask
from guiderail.evaluation.task import Task
from guiderail.model.load import load
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.monitors import Monitors
from guiderail.prompt.context import gather
from guiderail.prompt.index import ProjectIndex
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import LogitsStage

KEPT_ERRORS = 5  # of an answer, in its record


class Worker:
    """Whoever answers: loads what it needs when it first needs it.

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
        self._completers: dict[str, Completer] = {}
        self._monitors: dict[tuple[str, str], Monitors] = {}
        self._indexes: dict[Path, ProjectIndex] = {}
        self._pool = ServerPool(config.settings.analyser)
        self._judge = judge_for(config.settings.analyser)
        self._checked: dict[tuple[str, str], dict[str, Any]] = {}

    def answer(self, task: Task, system: System) -> list[dict[str, Any]]:
        """The rows of one task answered by one system: one for each sample."""
        completer, request = self._completer(system.model), self._request(task, system)
        began = time.perf_counter()
        found = completer.complete(request)
        # The prompt is encoded once for all systems of a task: its time would fall to the first one alone.
        seconds = time.perf_counter() - began - found[0].timings.prompt_s
        return [self._row(task, system, index, one, seconds / len(found)) for index, one in enumerate(found)]

    def stop(self) -> None:
        """End the analysers and checkers."""
        self._pool.stop()
        self._judge.stop()

    def _row(self, task: Task, system: System, index: int, found: Suggestion, seconds: float) -> dict[str, Any]:
        answer = task.truncated(found.text)
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
            **judge(task, answer),
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
        settings, source = self._config.settings, task.prefix + task.suffix
        path = (task.root or Path()) / task.path
        request = CompletionRequest(
            document=Document(source, path, task.language),
            offset=len(task.prefix),
            snippets=task.snippets,
            root=task.root,
            until=task.until,
            max_tokens=settings.max_tokens,
            n=system.method.samples,
            distinct=False,
            sampling=system.method.sampling(settings.seed),
            pipeline=system.pipeline(),
            layout=settings.layout,  # pyright: ignore[reportArgumentType]  # checked by `read`
        )
        request = replace(request, snippets=[*task.snippets, *self._context(request, system.model)])
        if system.monitors == SYNTAX:
            return replace(request, stages=self._syntax(request, system.model))
        # Without a project, as with the tasks of published benchmarks, there is nothing to analyse.
        watched = system.monitors != OFF and task.root is not None
        return replace(request, monitors=self._watching(system)) if watched else request

    def _context(self, request: CompletionRequest, model: str) -> list[Any]:
        budget, root = self._config.settings.context_tokens, request.root
        if not budget or root is None:
            return []
        index = self._indexes.setdefault(root, ProjectIndex(root))
        count = self._completer(model).count
        return gather(request.document, request.offset, root, budget=budget, count=count, index=index, seconds=math.inf)

    def _syntax(self, request: CompletionRequest, model: str) -> tuple[LogitsStage, ...]:
        if request.document.language != "python":
            return ()
        completer = self._completer(model)
        typed = completer.prompt(request).typed
        before = request.document.text[: request.offset - len(typed)]
        return (SyntaxMask(before, completer.model.tokenizer.token_bytes),)

    def _watching(self, system: System) -> Monitors:
        key = (system.model, system.monitors)
        if key not in self._monitors:
            vocabulary, deadline_s = self._completer(system.model).vocabulary, self._config.settings.deadline_s
            self._monitors[key] = Monitors(vocabulary, self._pool, deadline_s=deadline_s, names=system.monitors)
        return self._monitors[key]

    def _completer(self, name: str) -> Completer:
        if name not in self._completers:
            settings = self._config.settings
            model = load(name, device=settings.device, dtype=settings.dtype, threads=settings.threads)
            self._completers[name] = Completer(model, prompt_tokens=settings.prompt_tokens)
        return self._completers[name]

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
