"""A run's folder keeps whole units, whatever ended the last process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation.row_file import read_lines
from guiderail.evaluation.run_folder import SAMPLES, RunFolder, read_json

CONDITIONS = {
    "config_sha256": "a",
    "tasks_sha256": "b",
    "versions": {"x": "1"},
    "commit": "c",
    "builders": {},
    "date": "d",
}
COUNTS = {"one": 1, "three": 3}


def rows(task: str, system: str) -> list[dict[str, object]]:
    count = COUNTS[system]
    return [{"task": task, "system": system, "sample": n, "samples": count, "text": "ä"} for n in range(count)]


def opened(folder: Path, **more: object) -> RunFolder:
    return RunFolder(folder, {**CONDITIONS, **more})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    with opened(tmp_path) as folder:
        for unit in (("t1", "one"), ("t1", "three"), ("t2", "three")):
            folder.add(rows(*unit))
    return tmp_path


def test_what_was_written_is_done(written: Path) -> None:
    """A second start finds every unit, and writes none twice."""
    with opened(written) as folder:
        assert set(folder.done) == {("t1", "one"), ("t1", "three"), ("t2", "three")}
        folder.add(rows("t1", "one"))
    assert len(read_lines(written / SAMPLES)) == 7


@pytest.mark.parametrize("cut", range(0, 420, 13))
def test_any_torn_end_leaves_whole_units(written: Path, cut: int) -> None:
    """A file cut anywhere is continued to what it would have been."""
    file = written / SAMPLES
    whole = file.read_bytes()
    file.write_bytes(whole[: max(0, len(whole) - cut)])
    with opened(written) as folder:
        before = set(folder.done)
        for unit in (("t1", "one"), ("t1", "three"), ("t2", "three")):
            folder.add(rows(*unit))
    assert file.read_bytes() == whole
    assert len(before) == (3 if cut == 0 else len(before)) <= 3


@pytest.mark.parametrize(
    ("key", "words"), [("commit", "commit"), ("versions", "versions"), ("config_sha256", "configuration")]
)
def test_rows_of_two_kinds_are_not_mixed(written: Path, key: str, words: str) -> None:
    """Another commit, library or configuration is refused; another date is not."""
    with opened(written, date="later"):
        pass
    with pytest.raises(UsageError, match=f"other {words}: rows of two kinds are not mixed"):
        opened(written, **{key: "else"})


def test_two_processes_do_not_write_into_one_folder(tmp_path: Path) -> None:
    """The second one is refused while the first one works."""
    with opened(tmp_path), pytest.raises(UsageError, match="another process"):
        opened(tmp_path)
    with opened(tmp_path):
        pass


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """A folder without a run, and a file that is not JSON."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_json(tmp_path / "run.json")
    (tmp_path / "list.json").write_text(json.dumps([1]))
    with pytest.raises(UsageError, match="not a measurement"):
        read_json(tmp_path / "list.json")
