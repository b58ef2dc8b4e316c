"""Monitors on and off at the same positions, with an analyser whose answers are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guiderail.evaluation.config import OFF
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies.uplift import SAMPLED, Plan, methods, rows
from guiderail.evaluation.study import answered
from guiderail.evaluation.task import cut_out
from guiderail.evaluation.worker import Row
from guiderail.monitors.analysis.servers import server_named
from tests.evaluation.runs import worker

TEXT = """class Shop:
    def __init__(self) -> None:
        self.price = 1


def size(shop: Shop) -> int:
    return shop.price
"""
AT = TEXT.rindex("price")


def draw(package: str, start: int, on: bool, index: int, value: float, clean: bool | None = True) -> Row:
    return {
        "task": f"{package}:{start}", "package": package, "monitors": "all" if on else OFF, "monitored": None,
        "method": "greedy" if index < 0 else SAMPLED, "nim": value, "ism": value, "pm": value,
        "compiles": None if clean is None else float(clean), "tokens": 3, "decode_s": 0.1,
    }  # fmt: skip


def place(package: str, start: int, off: list[float], on: list[float], clean: bool | None = True) -> list[Row]:
    """One position: the greedy value first, then the drawn ones."""
    sides = ((False, off), (True, on))
    return [draw(package, start, which, i - 1, v, clean) for which, values in sides for i, v in enumerate(values)]


@pytest.mark.e2e
def test_both_sides_answer_at_every_position(tmp_path: Path) -> None:
    """All answers with monitors on begin with a legal name; what is judged clean is what the analyser finds right."""
    if server_named("pyrefly").find() is None:
        pytest.skip("pyrefly is not installed: pip install pyrefly")
    (tmp_path / "a.py").write_text(TEXT)
    plan = Plan(samples=2, max_tokens=8)
    task = replace(cut_out(SourceFile("p", "a.py", TEXT), "dereference", AT, TEXT.index("\n", AT)), root=tmp_path)
    more: dict[str, Any] = {"methods": methods(plan), "monitors": (OFF, "dereference"), "analyser": "pyrefly"}
    with worker("qwen3", plan, **more, check=True, judge="pyrefly", deadline_s=60.0) as (who, config):
        found = list(answered(who, [task], config.systems()))
    greedy = [(OFF, "greedy", 0), ("dereference", "greedy", 0)]
    drawn = [(on, SAMPLED, index) for on in (OFF, "dereference") for index in (0, 1)]
    assert [(row["monitors"], row["method"], row["sample"]) for row in found] == greedy + drawn
    watched = [row for row in found if row["monitors"] != OFF]
    assert all(row["output"].startswith("price") for row in watched if len(row["output"]) >= len("price"))
    assert all(row["compiles"] is not None for row in found)
    table = rows(found, plan)
    assert [(row["method"], row["monitors"]) for row in table][:2] == [("greedy", "off"), ("greedy", "on")]
    assert table[1]["constrained"] == 1


def test_rows_state_score_at_k_and_what_monitors_add() -> None:
    """One sample right of two is a half at k=1 and whole at k=2; differences are paired by package."""
    plan = Plan(samples=2)
    draws = place("a", 1, [0, 0, 0], [1, 1, 0]) + place("b", 2, [1, 1, 0], [1, 1, 1])
    found = {(row["method"], row["k"], row["monitors"]): row for row in rows(draws, plan)}
    ways = [("greedy", 1), ("sampled", 1), ("sampled", 2)]
    assert list(found) == [(method, k, on) for method, k in ways for on in ("off", "on")]
    assert [found["sampled", k, "off"]["nim"] for k in (1, 2)] == [0.25, 0.5]
    assert [found["sampled", k, "on"]["nim"] for k in (1, 2)] == [0.75, 1.0]
    added = found["greedy", 1, "on"]["against_off"]["nim"]
    assert (added["difference"], added["relative"]) == (0.5, 1.0)
    assert added["interval"][0] <= 0.5 <= added["interval"][1]
    assert (found["greedy", 1, "on"]["n"], found["greedy", 1, "on"]["packages"]) == (2, 2)


def test_what_was_not_judged_on_one_side_counts_on_neither() -> None:
    """The share without new errors is of the positions at which everything was judged."""
    draws = place("a", 1, [1, 1], [1, 1]) + place("a", 2, [1, 1], [1, 1], clean=None)
    row = rows(draws, Plan(samples=1))[0]
    assert (row["n"], row["n_clean"], row["clean"]) == (2, 1, 1.0)
    nobody = rows(place("a", 2, [1, 1], [1, 1], clean=None), Plan(samples=1))[1]
    assert nobody["clean"] is None
    assert "clean" not in nobody["against_off"]


def test_evasions_are_counted_on_their_own() -> None:
    """An answer that avoids the question is told, whatever is found of errors in it."""
    task = cut_out(SourceFile("a", "a.py", TEXT), "dereference", AT, TEXT.index("\n", AT))
    answers = [row | {"task": task.id, "answer": text} for row, text in zip(
        place("a", 1, [0], [0]), ("price", "__str__"), strict=True
    )]  # fmt: skip
    assert [row["evasions"] for row in rows(answers, Plan(samples=0), [task])] == [0, 1]


def test_without_draws_there_is_the_greedy_answer_alone() -> None:
    draws = place("a", 1, [0], [1]) + place("b", 1, [1], [1])
    found = rows(draws, Plan(samples=0))
    assert [(row["method"], row["k"], row["monitors"], row["nim"]) for row in found] == [
        ("greedy", 1, "off", 0.5),
        ("greedy", 1, "on", 1.0),
    ]
    assert found[1]["against_off"]["nim"]["difference"] == 0.5
