"""Precisions compared on a tiny model: what holds whatever the weights are."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guiderail.evaluation.config import System
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.studies.precision import REFERENCE, ROWS, Plan, evaluate, lines, rows
from guiderail.evaluation.task import Task
from guiderail.evaluation.worker import Row, Worker
from guiderail.model.matrix import int8_is_possible
from tests.evaluation.runs import worker
from tests.evaluation.test_typing_traces import TEXT

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
