"""A task and its frozen truncation."""

from typing import Any

import pytest

from guiderail.decoding.stops import Until
from guiderail.evaluation.task import Task

ABOUT: Any = {"id": "t", "kind": "line", "package": "p", "path": "a.py", "language": "python"}


@pytest.mark.parametrize(
    ("until", "written", "kept"),
    [
        ("line", "b + c  \nd", "b + c"),
        ("line", "b + c", "b + c"),
        ("block", "b\n    c\nd = 1\n", "b\n    c"),
        ("tokens", "b\n    c\nd = 1\n", "b\n    c\nd = 1"),
    ],
)
def test_an_answer_ends_by_the_tasks_rule(until: Until, written: str, kept: str) -> None:
    """A line with its end, a block with its indentation, tokens with the budget."""
    task = Task(**ABOUT, prefix="if x:\n    a = ", suffix="\n", truth="", until=until)
    assert task.truncated(written) == kept


def test_an_answer_stands_where_the_truth_stood() -> None:
    """The file around it is untouched."""
    task = Task(**ABOUT, prefix="x = ", suffix="\ny", truth="1")
    assert task.completed("2") == "x = 2\ny"
