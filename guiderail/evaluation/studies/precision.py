"""What a precision costs: the same lines completed and scored by one model in several precisions.

Float32 is the reference. Each line is completed greedily by the engine. It is also scored under its true text (the
divergence of next-token distributions, whether the likeliest token is the same, bits), and passes are timed: both look
at a part below the engine, the model after a prompt of the engine's that ends at the cursor.

Another engine can be given the same ids (`Rival`): it is scored against the same reference, and decodes greedily to the
end of the line. What guiderail's engine does to an answer after that is not done to its own.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.engine.prompt_builder import PromptBuilder
from guiderail.evaluation.config import GREEDY, Config, System
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import exact_match
from guiderail.evaluation.study import AnswerPlan, once
from guiderail.evaluation.tables import grouped, interval, mean, paired_interval, parts, ratio
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_lines, spread
from guiderail.evaluation.worker import Row, Worker
from guiderail.model.memory import release_memory, resident

if TYPE_CHECKING:
    from guiderail.model.model import Model

REFERENCE = "float32"
ROWS = (1, 4, 8, 16)  # widths of the passes that are timed
ROUNDS = 5
_IDS = range(100, 356)  # a prompt to be timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured; `lines` are rests of lines, spread evenly over the packages."""

    counted = ("lines",)

    lines: int = 300
    prompt_tokens: int = 512
    max_tokens: int = 32


class Rival(Protocol):
    """Another engine with a model of the same vocabulary."""

    @property
    def label(self) -> str:
        """What it and its precision are called."""
        ...

    def speed(self, ids: Sequence[int]) -> Row:
        """As of our own models: `prefill_tokens_per_s`, `ms_of_rows`, `load_s`, `memory_mb`."""
        ...

    def scores(self, ids: Sequence[int], rows: int) -> np.ndarray:
        """Scores [rows, vocabulary] after each of the last `rows` ids."""
        ...

    def line(self, ids: Sequence[int], tokens: int) -> str:
        """The rest of a line, greedily decoded after ids."""
        ...


FULL = Plan()
QUICK = Plan(packages=8, lines=16, prompt_tokens=256)


def lines(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """The lines of a plan: the cursor inside a line, what follows is shown."""
    shares = spread(plan.lines, list(files))
    return [task for name, own in files.items() if own for task in draw_lines(own, "fim_line", shares[name], plan.seed)]


def evaluate(
    worker: Worker,
    config: Config,
    dtypes: Sequence[str],
    tasks: Sequence[Task],
    log: RowFile | None,
    folder: Path,
    advance: Callable[[], None] = lambda: None,
    rivals: Sequence[Rival] = (),
) -> Iterator[Row]:
    """A row for each line in each precision, the reference first, and one for the speed of each; then of each rival.

    Parameters
    ----------
    worker
        Holds one model at a time.
    dtypes
        The precisions beside the reference.
    folder
        Where the reference's distributions are kept until the end.
    """
    for dtype in dict.fromkeys((REFERENCE, *dtypes)):
        system = System(config.models[0], GREEDY, name=dtype, overrides={"dtype": dtype})
        loading = partial(_loaded, worker, system, config)
        yield from (row | {"dtype": dtype} for row in once(log, ("speed", dtype), loading))
        for number, task in enumerate(tasks):
            truth = folder / f"{number}.npy"
            if log and dtype == REFERENCE and not (truth.exists() and truth.with_suffix(".json").exists()):
                log.done.pop((task.id, dtype), None)  # the others are compared with what is gone
            measuring = partial(_line, worker, system, config, task, truth)
            yield from (row | {"dtype": dtype} for row in once(log, (task.id, dtype), measuring))
            advance()
    worker.unload()
    for rival in rivals:
        speed = lambda rival=rival: [{"model": config.models[0], **rival.speed(_IDS)}]  # noqa: E731
        yield from (row | {"dtype": rival.label} for row in once(log, ("speed", rival.label), speed))
        for number, task in enumerate(tasks):
            measuring = partial(_rivals_line, rival, config, task, folder / f"{number}.npy")
            yield from (row | {"dtype": rival.label} for row in once(log, (task.id, rival.label), measuring))
            advance()


def _loaded(worker: Worker, system: System, config: Config) -> list[Row]:
    """What it takes to load a model, and how fast it is."""
    worker.unload()
    release_memory()
    before, began = resident(), time.perf_counter()
    model = worker.engine(system.settings(config.settings)).model
    taken = {"load_s": time.perf_counter() - began, "memory_mb": (resident() - before) / 1e6}
    return [{"model": model.info.name, **_speed(model), **taken}]


def _line(worker: Worker, system: System, config: Config, task: Task, truth: Path) -> list[Row]:
    """One line: the engine's answer, and sums over the line's true tokens; the reference is written at first.

    `divergence` in nats, `agreed` a count, `bits`.
    """
    (answer,) = worker.answer(task, system)
    scores, prompt, ids = _distributions(worker, system, config, task)
    if system.label == REFERENCE:
        truth.with_suffix(".json").write_text(json.dumps([prompt, ids]), encoding="utf-8")
        np.save(truth, scores.half().numpy())  # 16 bits keep a log-probability to three digits
    return [_compared(task, scores, ids, truth, answer["exact"])]


def _rivals_line(rival: Rival, config: Config, task: Task, truth: Path) -> list[Row]:
    """The same of a rival."""
    prompt, ids = json.loads(truth.with_suffix(".json").read_text(encoding="utf-8"))
    scores = torch.from_numpy(rival.scores([*prompt, *ids[:-1]], len(ids))).log_softmax(-1)
    is_exact = exact_match(rival.line(prompt, config.settings.max_tokens), task.truth)
    return [_compared(task, scores, ids, truth, float(is_exact))]


def _compared(task: Task, scores: torch.Tensor, ids: Sequence[int], truth: Path, exact: float) -> Row:
    """Log-probabilities [n, vocabulary] beside those of the reference."""
    wanted = torch.from_numpy(np.load(truth)).float()
    wanted = wanted - wanted.logsumexp(-1, keepdim=True)
    own = scores.gather(1, torch.tensor(ids)[:, None])
    return {
        "package": task.package,
        "exact": exact,
        "size": len(task.truth.encode()),
        "true_tokens": len(ids),
        "divergence": float((wanted.exp() * (wanted - scores)).sum()),
        "agreed": int((wanted.argmax(-1) == scores.argmax(-1)).sum()),
        "bits": float(-own.sum() / math.log(2)),
    }


def _distributions(
    worker: Worker, system: System, config: Config, task: Task
) -> tuple[torch.Tensor, list[int], list[int]]:
    """Log-probabilities [n, vocabulary] before each token of the truth, the prompt's ids, and these tokens."""
    settings = system.settings(config.settings)
    engine = worker.engine(settings)
    plan = replace(engine.plan(task.request(settings)), heal=False)
    prompt = PromptBuilder(engine.model, settings.prompt_tokens).build(plan)
    session, ids = Session(engine.model), engine.model.tokenizer.encode(task.truth)
    before = engine.model.tokenizer.encode_prompt(prompt)
    first = session.feed(before)
    assert first is not None, "nobody cancels"
    rows = [first[None]]
    if len(ids) > 1:
        rows.append(session.feed_tree(TokenTree.chain(ids[:-1])))
    return torch.cat(rows).log_softmax(-1).cpu(), before, ids


def rows(found: Iterable[Row], seed: int) -> list[dict[str, Any]]:
    """A row for each precision, the reference first."""
    table, reference = [], None
    for dtype, own in grouped(found, itemgetter("dtype")).items():
        (speed,) = (row for row in own if "load_s" in row)
        samples = [row for row in own if "bits" in row]
        reference = reference or samples
        timed = {key: speed[key] for key in ("prefill_tokens_per_s", "ms_of_rows", "load_s", "memory_mb")}
        table.append({"model": speed["model"], "dtype": dtype, **_quality(samples, reference, seed), **timed})
    return table


def _quality(samples: Sequence[Row], reference: Sequence[Row], seed: int) -> dict[str, Any]:
    exact, before = (parts(side, mean("exact")) for side in (samples, reference))
    total = {key: sum(row[key] for row in samples) for key in ("true_tokens", "divergence", "agreed", "bits", "size")}
    worst = np.array([row["divergence"] / row["true_tokens"] for row in samples])
    return {
        "lines": len(samples),
        "kl": total["divergence"] / total["true_tokens"],
        "kl_p95_of_lines": float(np.percentile(worst, 95)),
        "top1": total["agreed"] / total["true_tokens"],
        "bits_per_byte": total["bits"] / total["size"],
        "exact": ratio(exact),
        "exact_interval": interval(exact, seed=seed),
        "exact_lost": ratio(before) - ratio(exact),
        "exact_lost_interval": paired_interval(before, exact, seed=seed),
    }


def _speed(model: Model) -> dict[str, Any]:
    """Prefill of 256 tokens, and passes of few rows after it; medians of a few rounds."""
    ids = [token % model.vocab_size for token in _IDS]
    session = Session(model)

    def prefill() -> None:
        session.rollback(session.length)
        session.feed(ids)

    prefill()
    widths = {str(rows): _median(lambda rows=rows: session.feed_tree(TokenTree.chain(ids[:rows]))) for rows in ROWS}
    return {
        "prefill_tokens_per_s": len(ids) / _median(prefill),
        "ms_of_rows": {rows: 1000 * seconds for rows, seconds in widths.items()},
    }


def _median(work: Callable[[], object]) -> float:
    """Median seconds of a few rounds, after one that is not counted."""
    work()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))
