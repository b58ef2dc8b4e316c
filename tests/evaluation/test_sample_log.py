"""The file of samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.sample_log import SampleLog, answered


@dataclass
class Point:
    number: int
    word: str


def test_a_broken_run_goes_on(tmp_path: Path) -> None:
    """What was added is there again, a torn last line is not, and the file can be added to."""
    file = tmp_path / "samples.jsonl"
    SampleLog(file, Point, {"seed": 1}).add([Point(1, "a"), Point(2, "b\n")])
    file.write_text(file.read_text() + '{"number": 3, "wo')
    log = SampleLog(file, Point, {"seed": 1})
    assert log.samples == [Point(1, "a"), Point(2, "b\n")]
    log.add([Point(3, "c")])
    assert SampleLog(file, Point, {"seed": 1}).samples == [Point(1, "a"), Point(2, "b\n"), Point(3, "c")]


def test_two_runs_are_not_mixed(tmp_path: Path) -> None:
    """A file of another run is refused and stays as it is."""
    file = tmp_path / "samples.jsonl"
    SampleLog(file, Point, {"seed": 1}).add([Point(1, "a")])
    before = file.read_text()
    with pytest.raises(UsageError, match="another run"):
        SampleLog(file, Point, {"seed": 2})
    assert file.read_text() == before


@pytest.mark.parametrize("kept", [None, "samples.jsonl"])
def test_answers_that_are_kept_are_not_made_again(tmp_path: Path, kept: str | None) -> None:
    """A run is all of its samples, whether kept or not; of a broken one that was kept only the rest is made."""
    made: list[int] = []

    def evaluate(done: list[Point], most: int = 4) -> Iterator[Point]:
        for number in range(len(done), most):
            made.append(number)
            yield Point(number, "a")

    file = str(tmp_path / kept) if kept else None
    assert len(answered(partial(evaluate, most=2), Point, {"seed": 1}, file)) == 2
    assert answered(evaluate, Point, {"seed": 1}, file) == [Point(number, "a") for number in range(4)]
    assert made == ([0, 1, 2, 3] if kept else [0, 1, 0, 1, 2, 3])
