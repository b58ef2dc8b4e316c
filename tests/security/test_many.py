"""What is within its bound one by one takes no long time in numbers: patterns, folders, names and imports."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.project import python_project
from guiderail.prompt import index
from guiderail.prompt.ignore import MOST_KEPT, Ignore
from guiderail.prompt.imports.resolve import bindings_of
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.project import Project

SOON = 5.0  # seconds, on a busy machine; what these tests found took a minute and more
PATTERNS = "\n".join(f"{chr(97 + number % 26)}*{number % 10}" for number in range(3300))  # as many as one file may hold


@contextmanager
def soon() -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < SOON


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_what_all_ignore_files_above_a_file_say_together_is_bounded(root: Path) -> None:
    """Where it is too much, the files below stay unread, and those above are judged as ever."""
    folder = root
    for _ in range(80):
        (folder / ".gitignore").write_text(PATTERNS)
        folder = folder / "d"
        folder.mkdir()
    ignore = Ignore(root)
    with soon():
        assert ignore(folder / "app.py")
        assert not ignore(root / "app.py")
        assert ignore(root / "app6")
        ignore.refresh()
        assert ignore(folder / "app.py")


def test_what_ignore_files_side_by_side_say_is_bounded(root: Path) -> None:
    """Each is within its bound, and read soon; from the one on that is too much all is hidden that it may be about."""
    said = "".join(f"folder{number}/{'name' * 9}\n" for number in range(19_900))
    folders = [root / f"d{number:02}" for number in range(18)]
    for folder in folders:
        folder.mkdir()
        (folder / ".gitignore").write_text(said)
    ignore = Ignore(root)
    with soon():
        hidden = [ignore(folder / "app.py") for folder in folders]
    fitting = MOST_KEPT // 19_900
    assert hidden == [False] * fitting + [True] * (18 - fitting)
    (folders[0] / ".gitignore").write_text("*.log\n")
    for folder in folders[1:5]:
        (folder / ".gitignore").unlink()
    ignore.refresh()
    assert not any(ignore(folder / "app.py") for folder in folders)
    assert ignore(folders[0] / "a.log")
    assert ignore(folders[-1] / "folder0" / ("name" * 9))


def test_ignore_files_below_one_another_count_together(root: Path) -> None:
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    (root / ".gitignore").write_text("*.log\n*_old.py\n")
    (root / "a" / ".gitignore").write_text("!keep_old.py\n")
    ignore = Ignore(root)
    assert [ignore(folder / name) for name in ("x.py", "x_old.py", "keep_old.py")] == [False, True, False]


def test_a_folder_of_thousands_of_names_is_not_tried_with_thousands_of_patterns(root: Path) -> None:
    (root / ".gitignore").write_text(PATTERNS)
    (root / "d").mkdir()
    for number in range(5000):
        (root / "d" / f"module_{number}.py").touch()
    (root / "app.py").write_text("x = 1\n")
    with soon():
        assert [entry.path for entry in Project(root).files("", "python", lambda: False)] == ["app.py"]


def test_a_path_of_thousands_of_parts_is_judged(root: Path) -> None:
    folder = "/".join(["d"] * 1900)
    ignore = Ignore(root)
    with soon():
        assert ignore.chain(folder) == ()
        assert not ignore(Path(folder, "a.py"))
    (root / ".gitignore").write_text(PATTERNS)
    ignore.refresh()
    with soon():
        assert ignore(Path(folder, "a.py"))


def test_folders_that_an_environment_names_again_and_again_are_looked_at_once(root: Path) -> None:
    site = root / ".venv" / "lib" / "python3.11" / "site-packages"
    (site / "big").mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for number in range(4000):
        (site / "big" / f"m{number}.py").touch()
    for number in range(100):
        (site / f"a{number}.pth").write_text("big\n" * 100)
    with soon():
        assert {"m0", "os"} <= (ModulePath(root).modules() or set())


def test_an_environment_of_many_versions_of_python_is_told_of_in_part(root: Path) -> None:
    """The analyser that is told where packages are gets a list of bounded length, made by one look at a folder."""
    for number in range(300):
        (root / ".venv" / "lib" / f"python3.{number}" / "site-packages").mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").touch()
    told = python_project(root).packages
    assert root / ".venv" / "lib" / "python3.10" / "site-packages" in told
    assert len(told) < 50


def test_an_environment_that_names_too_many_folders_is_not_known(root: Path) -> None:
    site = root / ".venv" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for number in range(100):
        (site / f"a{number}.pth").write_text("".join(f"x{number}_{line}\n" for line in range(100)))
    with soon():
        assert ModulePath(root).modules() is None


class Nowhere:
    """Files of which there are none; how many were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def is_readable(self, path: str) -> bool:
        self.asked += 1
        return path == "found.py"

    def names(self, folder: str) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "import found\nfrom a import (" + ", ".join(f"n{number}" for number in range(20_000)) + ")\n"),
        ("python", "import found\n" + "".join(f"import n{number}\n" for number in range(10_000))),
        ("typescript", "import { a } from 'found.py';\n" + "".join(f"import 'n{n}';\n" for n in range(8_000))),
    ],
)
def test_imports_are_looked_for_in_so_many_places(language: str, text: str) -> None:
    files = Nowhere()
    with soon():
        found = bindings_of(text, language, "d/" * 100 + f"app.{language}", files, lambda _: None)
    assert files.asked <= 20_000
    assert language != "python" or [binding.files for binding in found] == [("found.py",)]


def test_the_text_that_is_kept_of_a_project_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the files around one, and of all that an editor comes to in a project, walked folder by folder."""
    monkeypatch.setattr(index, "TEXT_LIMIT", 100_000)
    for number in range(60):
        (root / f"d{number}").mkdir()
        (root / f"d{number}" / "a.py").write_text("".join(f"name_{number}_{line} = 1\n" for line in range(500)))
    kept = ProjectIndex(root)
    sizes, words = [], []
    for number in range(60):
        kept.refresh()
        around = kept.around(f"d{number}/b.py", "python", lambda: False)
        sizes.append(sum(len(file.text) for file in around))
        words.append(len(kept._vocabulary))
        assert f"d{number}/a.py" in {file.path for file in around}
    assert 90_000 < max(sizes) < 120_000
    assert max(words) < 17_000  # of the 30,000 that the project has
