"""How long a cache takes to follow an edit: patched, truncated at the edit, or encoded in full.

Tokens are random, so only the times mean something. The three ways take turns, and the least of the rounds is
reported: disturbances only ever add to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from guiderail.cache.live import FitReport, LiveCache
from guiderail.cache.policy import Costs, costs_of
from guiderail.cache.selection import PIE

if TYPE_CHECKING:
    from guiderail.model.model import Model


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
        Tokens inserted.
    runs
        Rounds of all ways.
    seed
        Of the tokens.
    """

    tokens: tuple[int, ...] = (1024, 2048, 4096, 8192, 16384, 32768)
    edit_at: tuple[float, ...] = (0.1, 0.5, 0.9)
    changed: tuple[int, ...] = (1, 8, 64)
    runs: int = 5
    seed: int = 0


FULL = Plan()
QUICK = Plan(tokens=(1024, 2048), edit_at=(0.1, 0.5, 0.9), changed=(8,), runs=2)


def run(model: Model, plan: Plan, *, advance: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """One row for each length, place and size of an edit."""
    costs = costs_of(model)
    rows = []
    for length, at, changed in cases(model, plan):
        rows.append(_row(model, plan, costs, length, at, changed))
        advance()
    return rows


def cases(model: Model, plan: Plan) -> list[tuple[int, float, int]]:
    """Length, place and size of every edit that fits the model's context."""
    lengths = [n for n in plan.tokens if n <= model.info.context_length]
    return [(n, at, changed) for n in lengths for at in plan.edit_at for changed in plan.changed]


def _row(model: Model, plan: Plan, costs: Costs, length: int, at: float, changed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(plan.seed)
    new = torch.randint(model.vocab_size, (length,), generator=generator).tolist()
    place = round(at * (length - changed))
    before = LiveCache(model, policy="exact", costs=costs)
    before.append(new[:place] + new[place + changed :])
    ways: dict[str, Callable[[], LiveCache]] = {
        "full": lambda: LiveCache(model),
        "truncate": before.copy,
        "pie": lambda: before.copy(policy="patch", effort=PIE),
        "patch": lambda: before.copy(policy="patch"),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    reports: dict[str, FitReport] = {}
    for _ in range(plan.runs):
        for way, make in ways.items():
            taken, reports[way] = _timed(make(), new)
            seconds[way].append(taken)
    least = {f"{way}_s": min(times) for way, times in seconds.items()}
    auto = before.copy(policy="auto").fit(new)
    return {
        "model": model.info.name,
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "tokens": length,
        "edit_at": at,
        "changed": changed,
        "policy": auto.policy,
        "reason": auto.reason,
        **least,
        "encoded": reports["patch"].encoded,
        "rotated": reports["patch"].rotated,
        "pie_encoded": reports["pie"].encoded,
        "patch_of_full": least["patch_s"] / least["full_s"],
        "patch_of_truncate": least["patch_s"] / least["truncate_s"],
    }


def _timed(cache: LiveCache, ids: list[int]) -> tuple[float, FitReport]:
    if cache.model.device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    report = cache.fit(ids)
    assert report.logits is not None, "nobody cancels"
    report.logits.argmax().item()  # waits for the device
    return time.perf_counter() - began, report
