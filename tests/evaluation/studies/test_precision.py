"""Precisions compared on a tiny model: what holds whatever the weights are."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.evaluation.config import System
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.studies.precision import REFERENCE, ROWS, Plan, evaluate, lines, rows
from guiderail.evaluation.task import Task
from guiderail.evaluation.worker import Row, Worker
from guiderail.model.load import load
from guiderail.model.matrix import int8_is_possible
from tests.evaluation.runs import worker
from tests.evaluation.test_typing_traces import TEXT
from tests.helpers.models import tiny_folder

PLAN = Plan(lines=4, prompt_tokens=200, max_tokens=4)
TASKS = lines({"stdlib": [SourceFile("stdlib", "a.py", TEXT)]}, PLAN)


def measured(folder: Path, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The table, and how many lines were answered now; ended after so many."""
    steps: list[int] = []

    class Counting(Worker):
        def answer(self, task: Task, system: System) -> list[Row]:
            if len(steps) == most:
                raise KeyboardInterrupt
            steps.append(1)
            return super().answer(task, system)

    with worker("guiderail", PLAN) as (_, config), closing(RowFile(folder / "rows.jsonl", {})) as log:
        found = list(evaluate(Counting(config, most=1), config, ["int8"], TASKS, log, folder))
    return rows(found, 0), len(steps)


@pytest.mark.skipif(not int8_is_possible(), reason="this torch has no FBGEMM")
def test_the_reference_loses_nothing_and_int8_little(tmp_path: Path) -> None:
    """Float32 comes first and differs from itself by the 16 bits that its scores are kept in; int8 by more."""
    table, answered = measured(tmp_path)
    assert [row["dtype"] for row in table] == [REFERENCE, "int8"]
    exact, rounded = table
    assert abs(exact["kl"]) < 1e-5 < rounded["kl"] < 1
    assert exact["top1"] >= rounded["top1"] > 0.5
    assert exact["exact_lost"] == 0
    assert exact["lines"] == len(TASKS) == 4 and answered == 8
    assert set(rounded["ms_of_rows"]) == {str(count) for count in ROWS}


@pytest.mark.skipif(not int8_is_possible(), reason="this torch has no FBGEMM")
@pytest.mark.parametrize("most", [0, 2, 6])
def test_a_run_that_was_ended_goes_on(tmp_path: Path, most: int) -> None:
    """No line is answered twice in a precision, and the figures are those of a run without a break."""
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path, most)
    table, answered = measured(tmp_path)
    assert answered == 8 - most
    (whole, again) = ([row["kl"] for row in each] for each in (table, measured(tmp_path)[0]))
    assert whole == again
    (tmp_path / "0.npy").unlink()  # a reference that is gone is made again
    assert measured(tmp_path)[1] == 1


class Same:
    """A rival that computes what the reference does."""

    label = "same"

    def __init__(self) -> None:
        self.model = load(str(tiny_folder("guiderail")), device="cpu", dtype="float32", threads=1)

    def speed(self, ids: Sequence[int]) -> Row:
        assert len(ids) == 256
        return {
            "prefill_tokens_per_s": 1.0,
            "ms_of_rows": dict.fromkeys(map(str, ROWS), 1.0),
            "load_s": 1.0,
            "memory_mb": 1.0,
        }

    def scores(self, ids: Sequence[int], rows: int) -> np.ndarray:
        session = Session(self.model)
        if len(ids) > rows:
            session.feed(ids[:-rows])
        return session.feed_tree(TokenTree.chain(ids[-rows:])).numpy()

    def line(self, ids: Sequence[int], tokens: int) -> str:
        assert tokens == PLAN.max_tokens
        return "nothing that anybody wrote"


def test_a_rival_is_given_the_references_ids(tmp_path: Path) -> None:
    """One that scores them as the reference does diverges from it by nothing; its lines are judged as they are."""
    with worker("guiderail", PLAN) as (one, config), closing(RowFile(tmp_path / "rows.jsonl", {})) as log:
        table = rows(evaluate(one, config, [], TASKS, log, tmp_path, rivals=[Same()]), 0)
    assert [row["dtype"] for row in table] == [REFERENCE, "same"]
    assert abs(table[1]["kl"]) < 1e-5
    assert table[1]["top1"] == table[0]["top1"] == 1
    assert table[1]["bits_per_byte"] == pytest.approx(table[0]["bits_per_byte"], rel=1e-3)
    assert table[1]["exact"] == 0
