"""The file of samples."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.samples import SampleLog


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
