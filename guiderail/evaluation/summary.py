"""From samples to tables: score@k with intervals over packages, and paired differences between systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from guiderail.errors import UsageError
from guiderail.evaluation.row_file import read_lines
from guiderail.evaluation.run_folder import RUN, SAMPLES, TASKS, read_json
from guiderail.evaluation.scoring import MEASURES, score_at
from guiderail.evaluation.tables import Measure, Parts, columns, differences, grouped, parts, tokens_per_s


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies in its folder, finished or not."""

    meta: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    samples: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """What its configuration calls it."""
        return self.meta["config"]["name"]


def read_run(folder: Path) -> Run:
    """The run in a folder.

    Raises
    ------
    UsageError
        There is none, or nothing has been answered yet.
    """
    meta = read_json(folder / RUN)
    samples = read_lines(folder / SAMPLES)
    if not samples:
        raise UsageError(f"nothing has been answered yet in {folder}", "Run it: guiderail eval run")
    return Run(meta, {task["task"]: task for task in read_lines(folder / TASKS)}, samples)


def rows(run: Run) -> list[dict[str, Any]]:
    """One row for each kind of tasks and each system; over the tasks that all systems have answered so far.

    score@1 has a measure's own name as its key, score@k of all k samples under ``name@k``.
    """
    seed = run.meta["seeds"]["bootstrap"]
    found = []
    for kind, samples in grouped(run.samples, itemgetter("kind")).items():
        systems = grouped(samples, itemgetter("system"))
        shared = set.intersection(*({sample["task"] for sample in own} for own in systems.values()))
        paired = {name: [s for s in own if s["task"] in shared] for name, own in systems.items()}
        figures = {name: _figures(own) for name, own in paired.items() if own}
        for system, own in paired.items():
            if own:
                bases = [base for base in run.meta["bases"].get(system, ()) if base in figures]
                row = _row(kind, system, own, figures[system], seed)
                row["against"] = {base: differences(figures[system], figures[base], seed) for base in bases}
                found.append(row)
    return found


def _row(
    kind: str, system: str, own: Sequence[Mapping[str, Any]], figures: Mapping[str, Parts], seed: int
) -> dict[str, Any]:
    first, seconds = own[0], [sample["seconds"] for sample in own]
    return {
        "tasks": kind,
        "system": system,
        "model": first["model"],
        "method": first["method"],
        "monitors": first["monitors"],
        "n": len({sample["task"] for sample in own}),
        "samples": max(sample["sample"] for sample in own) + 1,
        "packages": len({sample["package"] for sample in own}),
        **columns(figures, seed),
        "n_checked": int(sum(below for _, below in figures.get("compiles", {}).values())),
        "seconds_p50": median(seconds),
        "seconds_p95": quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0],
        "ttft_s_p50": median(sample["ttft_s"] for sample in own),
        "tokens_per_s": tokens_per_s(own),
        "tokens": fmean(sample["tokens"] for sample in own),
        **{name: _mean(own, name) for name in ("ended", "tr_n", "tr_s")},
        "passes": fmean(sample["passes"] for sample in own),
        "pauses": fmean(sample.get("pauses", 0) for sample in own),
        "constrained": sum(1 for watch in _watches(own) if watch["abstained"] is None),
        "abstained": sum(1 for watch in _watches(own) if watch["abstained"] is not None),
        "forbidden_tokens": sum(len(watch["forbidden"]) for watch in _watches(own)),
    }


def _mean(samples: Iterable[Mapping[str, Any]], name: str) -> float | None:
    values = [sample[name] for sample in samples if sample.get(name) is not None]
    return fmean(values) if values else None


def _watches(samples: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [watch for sample in samples if sample["monitored"] for watch in sample["monitored"]["watches"]]


def _figures(samples: Sequence[Mapping[str, Any]]) -> dict[str, Parts]:
    """The parts of every measure at every k; a task that was not checked is left out."""
    tasks = grouped(samples, itemgetter("task"))
    most = min(len(own) for own in tasks.values())
    found = {
        name if k == 1 else f"{name}@{k}": parts(tasks.values(), score_of(name, k), lambda own: own[0]["package"])
        for name in MEASURES
        for k in sorted({1, most})
    }
    return {name: own for name, own in found.items() if own}


def score_of(name: str, k: int) -> Measure[Sequence[Mapping[str, Any]]]:
    """score@k of a task, which counts where all its samples have the measure."""

    def measure(own: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
        values = [sample[name] for sample in own if sample.get(name) is not None]
        return (score_at(k, values), 1.0) if len(values) == len(own) else None

    return measure


def by_package(samples: Iterable[Mapping[str, Any]], measure: str) -> dict[str, float]:
    """A measure's mean in each package."""
    known = (sample for sample in samples if sample.get(measure) is not None)
    return {
        package: fmean(sample[measure] for sample in own)
        for package, own in grouped(known, itemgetter("package")).items()
    }
