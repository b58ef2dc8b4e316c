"""Which answers after a dot avoid the question."""

from __future__ import annotations

import pytest

from guiderail.evaluation.evasion import evades
from guiderail.evaluation.task import Task

PREFIX = "class A:\n    def f(self, other):\n        self.size = other.known\n        "


@pytest.mark.parametrize(
    ("before", "truth", "answer", "is_evasion"),
    [
        ("self.", "stop(1)", "fresh = 1", True),
        ("self.", "stop(1)", "fresh: int = 1", True),
        ("self.", "stop(1)", "fresh, x = 1, 2", True),
        ("self.", "stop(1)", "fresh += 1", True),
        ("self.", "stop(1)", "__str__ is None", True),
        ("if other.", "stop():", "__class__:", True),
        ("self.", "stop(1)", "self.size", True),
        ("x = other.other.", "stop", "other", True),
        ("self.", "stop(1)", "size = 1", False),
        ("self.", "stop(1)", "known == 1", False),
        ("self.", "stop(1)", "wrong(1)", False),
        ("self.", "stop(1)", "wrong == 1", False),
        ("self.", "fresh = 2", "other_one = 1", False),
        ("self.", "__dict__.clear()", "__dict__ = {}", False),
        ("self.", "stop(1)", "", False),
        ("größe.", "stop(1)", "größe.x", True),
    ],
)
def test_what_evades(before: str, truth: str, answer: str, is_evasion: bool) -> None:
    """A member made up by an assignment, a name that every object has, the receiver itself; a mere error is none."""
    for text in (PREFIX, PREFIX.replace("\n", "\r\n")):
        task = Task(
            id="1", kind="dereference", package="p", path="a.py", language="python", prefix=text + before,
            suffix="\n        return 1\n", truth=truth,
        )  # fmt: skip
        assert evades(task, answer) is is_evasion
