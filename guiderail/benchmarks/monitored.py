"""Tokens a second with monitors on and off, after the dots of real code, and where the time of a token goes.

The code is a package that every installation has, copied to a folder of its own, so that a real analyser answers real
questions. All sides decode greedily after the same prompts, encoded anew each time, and take turns in going first;
each is measured without drafters and with the default ones, which learn from this side's texts alone. The time is that
from the encoded prompt to the last token: while a prompt is encoded, the first question is answered.

Monitors are on in two situations: the analyser has never seen the file, as at the command line, or it has read the file
as it was before the dot, as in an editor, where the file is open while the dot is typed. Each has an analyser of its
own, so that neither profits from the answers of the other.

This looks at a part below the engine, the decoding of one text, with a session that takes the time of every pass, and
runs random models too, which no setting names.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from guiderail.benchmarks.decode import SHAPES, random_model
from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.masks import allowed
from guiderail.decoding.pipeline import AUTO, build_pipeline
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.session import Session
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.errors import GuiderailError
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.studies.soundness import ANSWER_S
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_dereferences
from guiderail.model.model import Model
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.monitors import KEYSTROKE_S, Monitors
from guiderail.text.document import Document

PACKAGE = "fsspec"  # torch needs it
REPEATS = 200  # of what takes microseconds
OFF, NEW, OPEN = "off", "new", "open"  # monitors off; on, and what the analyser knows of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    models
        "embedded", a random shape (it then writes with the embedded model's tokenizer), or a model reference.
    positions
        Dereferences of the package.
    tokens
        Tokens written at each.
    prompt_tokens
        Of a prompt at most.
    deadline_s
        How long decoding waits for an answer: by default what it does at a key stroke.
    """

    models: tuple[str, ...]
    device: str
    positions: int = 60
    tokens: int = 32
    prompt_tokens: int = 512
    deadline_s: float = KEYSTROKE_S
    drafters: tuple[str, ...] = (OFF, AUTO)
    seed: int = 0


class TimedSession(Session):
    """A session that knows how long its forward passes took."""

    seconds = 0.0

    def feed(self, ids: Sequence[int], *, cancelled: Callable[[], bool] = lambda: False) -> torch.Tensor | None:
        """See `Session.feed`."""
        began = time.perf_counter()
        logits = super().feed(ids, cancelled=cancelled)
        self._settle(began)
        return logits

    def feed_tree(
        self, tree: TokenTree, embeddings: torch.Tensor | None = None, layers: int | None = None
    ) -> torch.Tensor:
        """See `Session.feed_tree`."""
        began = time.perf_counter()
        logits = super().feed_tree(tree, embeddings, layers)
        self._settle(began)
        return logits

    def _settle(self, began: float) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - began


@dataclass(slots=True)
class Side:
    """What was measured with monitors off, or on in one situation."""

    tokens: int = 0
    passes: int = 0
    decode_s: float = 0.0
    forward_s: float = 0.0
    waits: dict[str, list[float]] = field(default_factory=dict)

    def add(self, found: Suggestion, seconds: float, forward_s: float) -> None:
        """Take one answer."""
        self.tokens += len(found.token_ids)
        self.passes += found.passes
        self.decode_s += seconds
        self.forward_s += forward_s
        for watch in found.monitored.watches if found.monitored else []:
            self.waits.setdefault(watch.abstained or "constrained", []).append(watch.wait_s)


@contextmanager
def project() -> Iterator[Path]:
    """A folder that holds the package's own copy.

    Raises
    ------
    GuiderailError
        The package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise GuiderailError(f"the package {PACKAGE} is not installed", f"Run pip install {PACKAGE}")
    with tempfile.TemporaryDirectory() as folder:
        skip = shutil.ignore_patterns("__pycache__", "tests")
        root = Path(folder).resolve() / PACKAGE
        shutil.copytree(Path(found.origin).parent, root / PACKAGE, ignore=skip)
        yield root


def source_files(root: Path) -> list[SourceFile]:
    """The package's files."""
    paths = sorted((root / PACKAGE).rglob("*.py"))
    files = (SourceFile(PACKAGE, path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths)
    return [file for file in files if parses(file.text)]


def run(plan: Plan, load: Callable[[str], Model], progress: Callable[[str, int], Callable[[], None]]) -> list[dict]:
    """Three rows for each model and drafter: monitors off, and on in both situations.

    `progress(name, steps)` gives a callback for each step done.
    """
    found: list[dict[str, Any]] = []
    with project() as root:
        chosen = draw_dereferences(source_files(root), plan.positions, plan.seed)
        for name in plan.models:
            model = _shaped(name, plan, load) if name in SHAPES else load(name)
            advance = progress(name, len(chosen) * len(plan.drafters))
            for drafter in plan.drafters:
                found += _rows(model, drafter, chosen, root, plan, advance)
    return found


def _shaped(name: str, plan: Plan, load: Callable[[str], Model]) -> Model:
    """A random model that writes text: its first ids are the embedded model's tokens."""
    dtype = torch.float32 if plan.device == "cpu" else torch.bfloat16
    shape, text = random_model(name, plan.device, dtype, plan.seed), load("embedded")
    shape.tokenizer, shape.info = text.tokenizer, replace(shape.info, fim=text.info.fim)
    return shape


def _rows(
    model: Model, drafter: str, chosen: Sequence[Task], root: Path, plan: Plan, advance: Callable[[], None]
) -> list[dict[str, Any]]:
    session, sides = TimedSession(model), {OFF: Side(), NEW: Side(), OPEN: Side()}
    # Each side has a memory of its own: drafters remember what was written.
    completers = {name: Completer(model, prompt_tokens=plan.prompt_tokens) for name in sides}
    for completer in completers.values():
        completer.session = session
    with _analyser() as unread, _analyser() as reading:
        pools = {NEW: unread, OPEN: reading}

        def watching(deadline_s: float) -> dict[str, Monitors]:
            return {
                name: Monitors(completers[name].vocabulary, pool, deadline_s=deadline_s) for name, pool in pools.items()
            }

        patient, watched = watching(ANSWER_S), watching(plan.deadline_s)
        for name, completer in completers.items():  # the project is read, and what a wide pass costs is learned
            completer.complete(_plan(chosen[0], root, plan, patient.get(name), drafter))
        for index, position in enumerate(chosen):
            _read(reading, position, root)
            for turn in range(len(sides)):
                name = list(sides)[(index + turn) % len(sides)]
                own = _plan(position, root, plan, watched.get(name), drafter)
                session.rollback(session.length)
                began, session.seconds = time.perf_counter(), 0.0
                found = completers[name].complete(own)[0]
                seconds = time.perf_counter() - began - found.timings.prompt_s
                sides[name].add(found, seconds, session.seconds)
            advance()
    steps = _steps(model)
    return [_row(model, side, name, drafter, plan, steps) for name, side in sides.items()]


@contextmanager
def _analyser() -> Iterator[ServerPool]:
    pool = ServerPool(trust="always")  # the folder is a copy of ours
    try:
        yield pool
    finally:
        pool.stop()


def _read(pool: ServerPool, position: Task, root: Path) -> None:
    """Let the analyser read the file as it is before the dot is typed."""
    analyser = pool.get("python", root)
    assert analyser is not None, "an analyser of Python comes with guiderail"
    dot = position.text.rindex(".", 0, position.start)
    text = position.text[:dot] + position.text[position.start :]
    analyser.ask(DIAGNOSTICS, Question(root / position.path, "python", text, dot)).result(ANSWER_S)


def _plan(position: Task, root: Path, plan: Plan, monitors: Monitors | None, drafter: str) -> CompletionPlan:
    return CompletionPlan(
        document=Document(position.text, root / position.path, "python"),
        offset=position.start,
        root=root,
        until="tokens",
        max_tokens=plan.tokens,
        monitors=monitors,
        pipeline=build_pipeline(drafter=drafter, monitored=monitors is not None),
    )


def _steps(model: Model) -> dict[str, float]:
    """Microseconds of what a step adds to a forward pass: moving a mask and applying it, and choosing a token."""
    logits = torch.randn(model.vocab_size, device=model.device)
    mask = torch.randint(-(2**31), 2**31 - 1, ((model.vocab_size + 31) // 32,), dtype=torch.int32).numpy()
    choose = Sampler(Sampling())

    def transfer() -> torch.Tensor:
        return logits.masked_fill(~allowed(mask, model.vocab_size).to(model.device), float("-inf"))

    return {"transfer_us": _microseconds(transfer, model), "sampler_us": _microseconds(lambda: choose(logits), model)}


def _microseconds(work: Callable[[], object], model: Model) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1e6 * (time.perf_counter() - began))
    return statistics.median(times)


def _row(model: Model, side: Side, name: str, drafter: str, plan: Plan, steps: dict[str, float]) -> dict[str, Any]:
    """The figures of one side; `other_us` is all but forward passes and waiting: masks and lexing too."""
    waits = [one for some in side.waits.values() for one in some]
    other_s = side.decode_s - side.forward_s - sum(waits)
    return {
        "model": model.info.name,
        "parameters": model.info.parameters,
        "device": str(model.device),
        "monitors": "off" if name == OFF else "on",
        "file": None if name == OFF else name,
        "drafter": drafter,
        "tokens_per_s": side.tokens / side.decode_s,
        "tokens": side.tokens,
        "tokens_per_pass": side.tokens / max(1, side.passes),
        "forward_us": 1e6 * side.forward_s / side.tokens,
        "wait_us": 1e6 * sum(waits) / side.tokens,
        "other_us": 1e6 * other_s / side.tokens,
        **steps,
        "waits": {
            kind: {"count": len(some), "p50_ms": 1000 * statistics.median(some), "max_ms": 1000 * max(some)}
            for kind, some in sorted(side.waits.items())
        },
        "deadline_s": plan.deadline_s,
    }
