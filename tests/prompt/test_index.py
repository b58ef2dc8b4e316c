"""Laws of what is kept of a project between completions."""

import math
import os
from pathlib import Path

from guiderail.prompt.index import ProjectIndex, deadline
from tests.prompt.projects import write


def forever() -> bool:
    return False


def around(index: ProjectIndex) -> dict[str, str]:
    index.refresh()
    return {file.path: file.text for file in index.around("main.py", "python", forever)}


def aged(root: Path, *names: str) -> None:
    for name in names:
        os.utime(root / name, (1_000, 1_000))


def test_only_changed_files_are_read_again(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(("a.py", "b.py", "c/d.py"), "x = 1\n"))
    aged(tmp_path, "a.py", "b.py", "c/d.py")
    index = ProjectIndex(tmp_path)
    assert len(around(index)) == index.reads == 3
    assert len(around(index)) == index.reads == 3
    write(tmp_path, {"a.py": "y = 2\n"})
    assert around(index)["a.py"] == "y = 2\n"
    assert index.reads == 4


def test_a_change_within_the_clocks_tick_is_seen(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x = 1\n"})
    index = ProjectIndex(tmp_path)
    around(index)
    stamp = (tmp_path / "a.py").stat()
    write(tmp_path, {"a.py": "y = 2\n"})
    os.utime(tmp_path / "a.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert around(index)["a.py"] == "y = 2\n"


def test_a_gone_file_and_the_file_itself_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x", "b.py": "x", "main.py": "x"})
    index = ProjectIndex(tmp_path)
    assert set(around(index)) == {"a.py", "b.py"}
    (tmp_path / "a.py").unlink()
    assert set(around(index)) == {"b.py"}
    assert index.file("a.py") is None


def test_a_file_is_one_file_by_its_name_and_in_the_listing(tmp_path: Path) -> None:
    write(tmp_path, {"c/d.py": "x = 1\n"})
    aged(tmp_path, "c/d.py")
    index = ProjectIndex(tmp_path)
    around(index)
    assert index.text("c/d.py") == "x = 1\n"
    assert index.reads == 1


def test_what_may_not_be_read_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, {"secrets.py": "x", "binary.py": "a\0b", "fine.py": "x"})
    index = ProjectIndex(tmp_path)
    assert index.file("secrets.py") is None
    assert index.file("binary.py") is None
    assert index.file("../outside.py") is None
    assert index.text("fine.py") == "x"


def test_a_file_is_parsed_when_its_declarations_are_first_wanted(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def f(): ...\n"})
    file = ProjectIndex(tmp_path).file("a.py")
    assert file is not None
    assert "definitions" not in vars(file)
    assert [definition.name for definition in file.definitions] == ["f"]
    assert file.definitions is file.definitions


def test_a_deadline_without_seconds_has_passed_and_an_infinite_one_never_does() -> None:
    assert deadline(0.0)()
    assert not deadline(math.inf)()
    assert not deadline(3600.0)()
