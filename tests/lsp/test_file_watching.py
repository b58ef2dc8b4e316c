"""Which of the events that a client tells of files matter."""

from pathlib import Path

import pytest
from lsprotocol.types import FileChangeType

from guiderail.lsp.file_watching import matters

CREATED, CHANGED, DELETED = FileChangeType.Created, FileChangeType.Changed, FileChangeType.Deleted


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("src/app.py", CHANGED, True),
        (".gitignore", DELETED, True),
        ("node_modules/left/index.js", CREATED, True),  # analysers read it
        (".venv/lib/python3.11/site-packages/left.py", DELETED, True),
        ("node_modules/left/README.md", CREATED, False),
        ("node_modules/left", DELETED, False),
        ("src/__pycache__", CREATED, False),
        ("dist/app.js", CREATED, False),
        (".git/ORIG_HEAD", DELETED, False),
        (".ssh/config.json", CHANGED, False),
        ("notes.txt", CHANGED, False),
    ],
)
def test_where_a_name_decides_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: FileChangeType, expected: bool
) -> None:
    """Code matters, installed code too; products of builds and tools' own files do not, wherever the workspace is."""
    monkeypatch.setattr(Path, "is_dir", lambda _: pytest.fail("asked the disk"))
    folder = Path("/home/build/project")
    assert matters(folder / name, folder, kind, lambda _: pytest.fail("asked who knows")) is expected


def test_what_is_gone_matters_if_it_was_a_folder(tmp_path: Path) -> None:
    """Only who saw it can tell; and of what comes only folders matter, which the disk tells."""
    knows = [tmp_path / "package"].__contains__
    assert matters(tmp_path / "package", tmp_path, DELETED, knows)
    assert not matters(tmp_path / "4913", tmp_path, DELETED, knows)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert matters(tmp_path / "folder", tmp_path, CREATED, knows)
    assert not matters(tmp_path / "file", tmp_path, CREATED, knows)


def test_outside_of_the_workspace_the_name_alone_counts() -> None:
    """The folders above a file without a workspace tell nothing of it."""
    assert matters(Path("/home/build/app.py"), None, CHANGED, lambda _: False)
