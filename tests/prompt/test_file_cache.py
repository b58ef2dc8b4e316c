"""Laws of values kept while their file stays as it is."""

import os
from pathlib import Path

from guiderail.prompt.file_cache import FileCache, status_of


def test_a_value_is_made_again_only_when_the_stamp_changes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    os.utime(path, (1_000, 1_000))
    kept = FileCache(lambda name: Path(name).read_text())
    assert [kept.get(str(path), path.stat()) for _ in range(3)] == ["1", "1", "1"]
    assert kept.made == 1
    path.write_text("2")
    os.utime(path, (2_000, 2_000))
    assert kept.get(str(path), path.stat()) == "2"
    assert kept.made == 2


def test_a_value_made_right_after_a_change_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    kept = FileCache(lambda name: Path(name).read_text())
    kept.get(str(path), path.stat())
    kept.get(str(path), path.stat())
    assert kept.made == 2


def test_what_is_not_there_has_no_status(tmp_path: Path) -> None:
    assert status_of(str(tmp_path / "missing")) is None
    assert status_of("a\0b") is None
    assert status_of(str(tmp_path)) is not None
