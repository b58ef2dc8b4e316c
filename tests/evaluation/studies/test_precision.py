"""Precisions compared on a tiny model: what holds whatever the weights are."""

from pathlib import Path

import pytest

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies.precision import REFERENCE, ROWS, Plan, evaluate, lines
from guiderail.model.load import load
from guiderail.model.matrix import int8_is_possible
from tests.evaluation.test_typing_traces import TEXT
from tests.helpers.tiny import tiny_model_folder

PLAN = Plan(lines=4, prompt_tokens=200, max_tokens=4)


@pytest.mark.skipif(not int8_is_possible(), reason="this torch has no FBGEMM")
def test_the_reference_loses_nothing_and_int8_little(tmp_path: Path) -> None:
    """Float32 comes first and differs from itself by the 16 bits that its scores are kept in; int8 by more."""
    folder = str(tiny_model_folder("guiderail", tmp_path / "model"))
    tasks = lines({"stdlib": [SourceFile("stdlib", "a.py", TEXT)]}, PLAN)
    done: list[int] = []

    def tick() -> None:
        done.append(1)

    rows = list(evaluate(lambda dtype: load(folder, dtype=dtype, device="cpu"), ["int8"], tasks, PLAN, advance=tick))
    assert [row["dtype"] for row in rows] == [REFERENCE, "int8"]
    exact, rounded = rows
    assert abs(exact["kl"]) < 1e-5 < rounded["kl"] < 1
    assert exact["top1"] >= rounded["top1"] > 0.5
    assert exact["exact_lost"] == 0
    assert exact["lines"] == len(tasks) == 4 and len(done) == 8
    assert set(rounded["ms_of_rows"]) == {str(count) for count in ROWS}
