"""What changes between the look at a path and its use: somebody else's process, or a checkout, works in the project."""

import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from guiderail import projectfile
from guiderail.cli.next import _apply
from guiderail.next_edit.proposal import Consequences, Proposal
from guiderail.projectfile import ProjectFileError
from guiderail.text.document import Document
from guiderail.text.edit import Edit


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell where an open file is")
def test_a_folder_that_becomes_a_link_out_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path was looked at when it still was a folder; the file itself is a regular one in both places."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    for folder, text in ((root / "d", "own"), (outside, "secret")):
        folder.mkdir(parents=True)
        (folder / "f").write_text(text)
    opened, swapped = os.open, []

    def swap_and_open(path: Any, *arguments: Any, **named: Any) -> int:
        if not swapped:
            swapped.append((root / "d").rename(root / "before"))
            (root / "d").symlink_to(outside)
        return opened(path, *arguments, **named)

    monkeypatch.setattr(projectfile.os, "open", swap_and_open)
    with pytest.raises(ProjectFileError, match="leads out"):
        projectfile.read_bytes(root / "d" / "f", root)
    assert swapped
    assert projectfile.read_bytes(root / "before" / "f", root) == b"own"


@pytest.fixture
def swapped(tmp_path: Path) -> tuple[Path, Path]:
    """A project whose folder ``d`` became a link out after it was looked at, and a file of the person there."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.py").write_text("old = 1\n")
    (root / "d").symlink_to(outside)
    return root, outside / "a.py"


def found_in(path: Path) -> Consequences:
    """A proposal for a file, as it was read."""
    return Consequences((Proposal(Document("old = 1\n", path, "python"), Edit(0, 3, "new"), "rename", "old → new"),))


def test_no_edit_is_made_through_a_folder_that_became_a_link(swapped: tuple[Path, Path]) -> None:
    root, outside = swapped
    with pytest.raises(ProjectFileError, match="leads out"):
        _apply(found_in(root / "d" / "a.py"), root)
    assert outside.read_text() == "old = 1\n"


def test_no_edit_is_made_through_a_file_that_became_a_link(swapped: tuple[Path, Path]) -> None:
    root, outside = swapped
    (root / "a.py").symlink_to(outside)
    with pytest.raises(ProjectFileError):
        _apply(found_in(root / "a.py"), root)
    (root / "b.py").write_text("old = 1\n")
    (root / "c.py").symlink_to("b.py")
    with pytest.raises(ProjectFileError, match="cannot write"):
        _apply(found_in(root / "c.py"), root)
    assert outside.read_text() == (root / "b.py").read_text() == "old = 1\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell where an open file is")
def test_what_changes_while_it_is_written_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at all files and the writing: another text, or a folder that is a link by now."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (root / "d", outside):
        folder.mkdir(parents=True)
        (folder / "a.py").write_text("old = 1\n")

    def exchange(path: Path, root: Path, *texts: bytes) -> None:
        (root / "d").rename(root / "before")
        (root / "d").symlink_to(outside)
        overwrite(path, root, *texts)

    overwrite = projectfile.overwrite
    monkeypatch.setattr(projectfile, "overwrite", exchange)
    with pytest.raises(ProjectFileError, match="leads out"):
        _apply(found_in(root / "d" / "a.py"), root)
    assert (outside / "a.py").read_text() == "old = 1\n"
    with pytest.raises(ProjectFileError, match="changed meanwhile"):
        overwrite(root / "before" / "a.py", root, b"other", b"new")
    overwrite(root / "before" / "a.py", root, b"old = 1\n", b"x\n")
    assert (root / "before" / "a.py").read_bytes() == b"x\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path: Path) -> None:
    """On a full disk, for which a limit of a file's size stands here; and nothing else is left in the folder."""
    import resource

    file = tmp_path / "a.py"
    file.write_bytes(b"x" * 5000)
    file.chmod(0o640)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        with pytest.raises(ProjectFileError, match="cannot write"):
            projectfile.overwrite(file, tmp_path, b"x" * 5000, b"y" * 9000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert file.read_bytes() == b"x" * 5000
    projectfile.overwrite(file, tmp_path, b"x" * 5000, b"y" * 9000)
    assert file.read_bytes() == b"y" * 9000
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]
