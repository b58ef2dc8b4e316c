"""From samples to tables."""

from __future__ import annotations

import itertools
from statistics import fmean
from typing import Any

import pytest

from guiderail.evaluation.summary import Run, by_package, rows


def sample(task: str, system: str, index: int, nim: float, compiles: float | None = 1.0) -> dict[str, Any]:
    model, method, monitors = system.split(" · ")
    return {
        "task": task, "system": system, "model": model, "method": method, "monitors": monitors, "sample": index,
        "kind": "dereference", "package": task[0], "nim": nim, "compiles": compiles, "ism": nim, "pm": nim,
        "exact": nim, "similarity": nim, "parses": 1.0, "seconds": 0.5, "ttft_s": 0.1, "decode_s": 0.25, "tokens": 6,
        "passes": 5, "pauses": 0, "monitored": None,
    }  # fmt: skip


OFF, ON = "m · s · off", "m · s · on"


def run(samples: list[dict[str, Any]]) -> Run:
    return Run({"seeds": {"bootstrap": 0}, "bases": {ON: [OFF]}, "config": {"name": "r"}}, {}, samples)


VALUES = {"a1": (1.0, 0.0, 0.5), "a2": (0.0, 0.0, 0.0), "b1": (1.0, 1.0, 0.25)}


def both() -> list[dict[str, Any]]:
    off = [sample(task, OFF, i, v) for task, values in VALUES.items() for i, v in enumerate(values)]
    return off + [sample(task, ON, i, 1.0) for task in VALUES for i in range(3)]


def test_score_at_k_is_the_mean_best_of_all_subsets() -> None:
    """Against brute force over every subset of the samples."""
    [off, on] = rows(run(both()))
    assert off["nim"] == pytest.approx(fmean(fmean(v) for v in VALUES.values()))
    best = [fmean(max(subset) for subset in itertools.combinations(v, 3)) for v in VALUES.values()]
    assert off["nim@3"] == pytest.approx(fmean(best))
    assert on["nim"] == 1 and (off["n"], off["samples"], off["packages"]) == (3, 3, 2)


def test_differences_are_paired() -> None:
    """Only against the systems that the run names, absolute and relative."""
    [off, on] = rows(run(both()))
    assert off["against"] == {}
    found = on["against"][OFF]["nim"]
    assert found["difference"] == pytest.approx(1 - off["nim"])
    assert found["relative"] == pytest.approx(1 / off["nim"] - 1)
    low, high = found["interval"]
    assert low <= found["difference"] <= high


def test_an_unfinished_run_is_compared_on_what_all_have_answered() -> None:
    """A task that one system has not answered yet counts for none."""
    [off, on] = rows(run([row for row in both() if (row["task"], row["system"]) != ("b1", ON)]))
    assert off["n"] == on["n"] == 2 and off["packages"] == 1


def test_what_was_not_checked_does_not_count_as_failed() -> None:
    """Compilation rate is over the tasks that were checked."""
    samples = [sample("a1", OFF, 0, 1.0, None), sample("b1", OFF, 0, 1.0, 0.0), sample("b2", OFF, 0, 1.0, 1.0)]
    [row] = rows(run(samples))
    assert row["compiles"] == 0.5 and row["n_checked"] == 2 and row["nim"] == 1


def test_packages_have_their_own_means() -> None:
    """As the scatter shows them."""
    assert by_package(both()[:9], "nim") == {"a": pytest.approx(0.25), "b": pytest.approx(0.75)}
