"""From samples to tables: score@k with intervals over packages, and paired differences between systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from guiderail.errors import UsageError
from guiderail.evaluation.judge import MEASURES
from guiderail.evaluation.metrics import interval, paired_interval, ratio, score_at
from guiderail.evaluation.rundir import RUN, SAMPLES, TASKS, read_json, read_lines

Parts = dict[str, tuple[float, float]]


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

    score@1 stands under a measure's own name, score@k of all k samples under ``name@k``.
    """
    seed = run.meta["seeds"]["bootstrap"]
    found = []
    for kind, systems in _by_kind(run.samples).items():
        shared = set.intersection(*({sample["task"] for sample in own} for own in systems.values()))
        paired = {name: [s for s in own if s["task"] in shared] for name, own in systems.items()}
        parts = {name: _parts(own) for name, own in paired.items() if own}
        for system, own in paired.items():
            if own:
                bases = [base for base in run.meta["bases"].get(system, ()) if base in parts]
                row = _row(kind, system, own, parts[system], seed)
                row["against"] = {base: _differences(parts[system], parts[base], seed) for base in bases}
                found.append(row)
    return found


def _by_kind(samples: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for sample in samples:
        found.setdefault(sample["kind"], {}).setdefault(sample["system"], []).append(sample)
    return found


def _row(
    kind: str, system: str, own: Sequence[Mapping[str, Any]], parts: Mapping[str, Parts], seed: int
) -> dict[str, Any]:
    first, seconds = own[0], [sample["seconds"] for sample in own]
    tokens = sum(max(sample["tokens"] - 1, 0) for sample in own)
    decode_s = sum(sample["decode_s"] for sample in own)
    return {
        "tasks": kind,
        "system": system,
        "model": first["model"],
        "method": first["method"],
        "monitors": first["monitors"],
        "n": len({sample["task"] for sample in own}),
        "samples": max(sample["sample"] for sample in own) + 1,
        "packages": len({sample["package"] for sample in own}),
        **{name: ratio(values) for name, values in parts.items()},
        "n_checked": int(sum(below for _, below in parts["compiles"].values())) if "compiles" in parts else 0,
        "intervals": {name: interval(values, seed=seed) for name, values in parts.items()},
        "seconds_p50": median(seconds),
        "seconds_p95": quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0],
        "ttft_s_p50": median(sample["ttft_s"] for sample in own),
        "tokens_per_s": tokens / decode_s if decode_s else None,
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


def _parts(samples: Sequence[Mapping[str, Any]]) -> dict[str, Parts]:
    """By measure, sum and number of the tasks' scores in each package; a task that was not checked is left out."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for sample in samples:
        tasks.setdefault(sample["task"], []).append(sample)
    most = min(len(own) for own in tasks.values())
    found: dict[str, Parts] = {}
    for name in MEASURES:
        for k in sorted({1, most}):
            parts = _scores(tasks.values(), name, k)
            if parts:
                found[name if k == 1 else f"{name}@{k}"] = parts
    return found


def _scores(tasks: Iterable[Sequence[Mapping[str, Any]]], name: str, k: int) -> Parts:
    parts: Parts = {}
    for own in tasks:
        values = [sample[name] for sample in own if sample.get(name) is not None]
        if len(values) == len(own):
            above, below = parts.get(own[0]["package"], (0.0, 0.0))
            parts[own[0]["package"]] = (above + score_at(k, values), below + 1)
    return parts


def _differences(own: Mapping[str, Parts], base: Mapping[str, Parts], seed: int) -> dict[str, Any]:
    """By measure: the difference, its interval over packages, and the difference relative to the base."""
    found = {}
    for name in own.keys() & base.keys():
        shared = own[name].keys() & base[name].keys()
        mine, theirs = ({p: parts[name][p] for p in shared} for parts in (own, base))
        if not shared:
            continue
        before = ratio(theirs)
        found[name] = {
            "difference": ratio(mine) - before,
            "interval": paired_interval(mine, theirs, seed=seed),
            "relative": ratio(mine) / before - 1 if before else None,
        }
    return dict(sorted(found.items()))


def by_package(samples: Iterable[Mapping[str, Any]], measure: str) -> dict[str, float]:
    """A measure's mean in each package."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        if sample.get(measure) is not None:
            values.setdefault(sample["package"], []).append(sample[measure])
    return {package: fmean(own) for package, own in values.items()}
