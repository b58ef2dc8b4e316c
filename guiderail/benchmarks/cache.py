"""How long a cache takes to follow an edit: patched, truncated at the edit, or encoded in full; beside llama.cpp.

Tokens are random, so only the times mean something. The ways take turns, and the least of the rounds is reported:
disturbances only ever add to it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guiderail.benchmarks.llama_cpp import ARCHITECTURES, LlamaCpp, export, fastest
from guiderail.cache.live import LiveCache
from guiderail.cache.policy import Costs, costs_of
from guiderail.cache.report import FitReport
from guiderail.cache.selection import PIE
from guiderail.evaluation.charts import Chart, lines
from guiderail.evaluation.tables import grouped

if TYPE_CHECKING:
    from guiderail.model.model import Model

WAYS = ("llama_cpp", "full", "truncate", "patch", "pie")
# Runs of equal tokens that llama.cpp is asked to find again: what its own editor plugins ask for.
REUSE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    tokens
        Lengths of the sequence after the edit; those that the model does not take are left out.
    edit_at
        Where the edit is, as a share of the length.
    changed
        Tokens inserted, or deleted where it is negative; all of them at few places (`FEW_PLACES`), the first at all.
    long
        Longer sequences than this have a few cases and one round only: each takes minutes.
    runs
        Rounds of all ways.
    threads
        CPU threads that llama.cpp may take; 0 leaves it out.
    build
        A folder with another build of llama.cpp than the one that is installed.
    seed
        Of the tokens.
    """

    tokens: tuple[int, ...] = (1024, 2048, 4096, 8192, 16384, 32768)
    edit_at: tuple[float, ...] = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
    changed: tuple[int, ...] = (8, 1, 64, -8)
    long: int = 4096
    runs: int = 3
    threads: int = 0
    build: str | None = None
    seed: int = 0


FULL = Plan()
QUICK = Plan(tokens=(1024, 2048), edit_at=(0.1, 0.5, 0.9), changed=(8, -8), runs=2)
FEW_PLACES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Case:
    """One edit: the sequence before it and after it."""

    edit_at: float
    changed: int
    old: list[int]
    new: list[int]


def run(model: Model, plan: Plan, *, advance: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """One row for each length, place and size of an edit."""
    costs = costs_of(model)
    rows = []
    with _llama_cpp(model, plan) as rival:
        for length in lengths(model, plan):
            full = _full_seconds(model, plan, length)
            for case in cases(model, plan, length):
                rows.append(_row(model, plan, costs, case, full, rival))
                advance()
    return rows


def lengths(model: Model, plan: Plan) -> list[int]:
    """The plan's lengths that the model takes."""
    return [n for n in plan.tokens if n + max(map(abs, plan.changed)) <= model.info.context_length]


def cases(model: Model, plan: Plan, length: int) -> list[Case]:
    """Every edit after which the sequence has `length` tokens; the text after it is the same in all."""
    long = length > plan.long
    generator = torch.Generator().manual_seed(plan.seed)
    new = torch.randint(8, model.vocab_size, (length,), generator=generator).tolist()
    gone = torch.randint(8, model.vocab_size, (64,), generator=generator).tolist()
    found = []
    for at in FEW_PLACES if long else plan.edit_at:
        for changed in plan.changed if at in FEW_PLACES and not long else plan.changed[:1]:
            place = round(at * (length - abs(changed)))
            removed, added = gone[: max(-changed, 0)], max(changed, 0)
            found.append(Case(at, changed, [*new[:place], *removed, *new[place + added :]], new))
    return found


@contextmanager
def _llama_cpp(model: Model, plan: Plan) -> Iterator[LlamaCpp | None]:
    """llama.cpp with the same weights, or the same file as people run it.

    None where it is not wanted, or does not know the architecture.
    """
    file = model.info.file
    if not plan.threads or model.device.type != "cpu" or not (file or model.info.architecture in ARCHITECTURES):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = file or Path(folder) / "model.gguf"
        if file is None:
            export(model.plain_module(), path)
        most = max(lengths(model, plan)) + 2 * max(map(abs, plan.changed)) + 8
        waiting = fastest(path, plan.threads, plan.build, list(range(300, 364)), exact=file is None)
        server = LlamaCpp(path, waiting, most, build=plan.build, exact=file is None)
        try:
            yield server
        finally:
            server.close()


def _full_seconds(model: Model, plan: Plan, length: int) -> float:
    new = cases(model, plan, length)[0].new
    return min(_timed(LiveCache(model), new)[0] for _ in range(_rounds(plan, length)))


def _rounds(plan: Plan, length: int) -> int:
    return plan.runs if length <= plan.long else 1


def _row(model: Model, plan: Plan, costs: Costs, case: Case, full_s: float, rival: LlamaCpp | None) -> dict[str, Any]:
    before = LiveCache(model, policy="exact", costs=costs)
    before.feed(case.old)
    ways: dict[str, Callable[[], LiveCache]] = {
        "truncate": before.copy,
        "pie": lambda: before.copy(policy="patch", effort=PIE),
        "patch": lambda: before.copy(policy="patch"),
    }
    least: dict[str, float] = {"full_s": full_s}
    reports: dict[str, FitReport] = {}
    others: list[tuple[float, int]] = []
    for _ in range(_rounds(plan, len(case.new))):
        for way, make in ways.items():
            taken, reports[way] = _timed(make(), case.new)
            least[f"{way}_s"] = min(taken, least.get(f"{way}_s", taken))
        if rival:
            rival.follow(case.old, REUSE)
            others.append(rival.follow(case.new, REUSE))
    auto = before.copy(policy="auto").fit(case.new)
    plain = before.length * before.buffers.shape.bytes_per_token
    return {
        "model": model.info.name,
        "device": str(model.device),
        "dtype": model.precision,
        "tokens": len(case.new),
        "edit_at": case.edit_at,
        "changed": case.changed,
        "policy": auto.policy,
        "reason": auto.reason,
        **least,
        "llama_cpp_s": min(others)[0] if others else None,
        "encoded": reports["patch"].encoded,
        "rotated": reports["patch"].rotated,
        "pie_encoded": reports["pie"].encoded,
        "truncate_encoded": reports["truncate"].encoded,
        "llama_cpp_encoded": others[-1][1] if others else None,
        "llama_cpp_build": rival.system if rival else None,
        "patch_of_full": least["patch_s"] / full_s,
        "patch_of_truncate": least["patch_s"] / least["truncate_s"],
        "memory_of_plain": before.nbytes / plain,
    }


def crossovers(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each model, length and size of an edit: how many tokens must stand after it for a patch to be the quicker.

    Interpolated between the places that were measured; 0 if a patch always was, None if it never was.
    """
    found = []
    for (model, tokens, changed), own in grouped(rows, itemgetter("model", "tokens", "changed")).items():
        points = sorted((round((1 - r["edit_at"]) * tokens), r["truncate_s"] - r["patch_s"]) for r in own)
        found.append({"model": model, "tokens": tokens, "changed": changed, "behind": _zero(points)})
    return found


def _zero(points: Sequence[tuple[int, float]]) -> int | None:
    """Where what a patch saves becomes positive for good."""
    if points[-1][1] <= 0:
        return None
    last = max((i for i, (_, saved) in enumerate(points) if saved <= 0), default=-1)
    if last < 0:
        return 0
    (x, lost), (y, won) = points[last], points[last + 1]
    return round(x + (y - x) * -lost / (won - lost))


def picture(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Seconds of each way to follow an edit by its place.

    For the longest sequence of the first model and of the last, and a size of edit that all lengths have.
    """
    by_length = grouped(rows, itemgetter("tokens")).values()
    changed = max(set.intersection(*({row["changed"] for row in own} for own in by_length)))
    by_model, series = grouped(rows, itemgetter("model")), dict[str, list[tuple[float, float]]]()
    for model in dict.fromkeys((rows[0]["model"], rows[-1]["model"])):
        length = max(row["tokens"] for row in by_model[model])
        own = [row for row in by_model[model] if (row["tokens"], row["changed"]) == (length, changed)]
        for way in WAYS:
            points = sorted((row["edit_at"], row[f"{way}_s"]) for row in own if row[f"{way}_s"] is not None)
            series |= {f"{way.replace('_', '.')}, {length} tokens": points} if points else {}
    return lines("Following an edit", "place of the edit (0 is the start)", "seconds", series, log=(False, True))


def _timed(cache: LiveCache, ids: list[int]) -> tuple[float, FitReport]:
    if cache.model.device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    report = cache.fit(ids)
    assert report.logits is not None, "nobody cancels"
    report.logits.argmax().item()  # waits for the device
    return time.perf_counter() - began, report
