"""What changes between the look at a path and its use: somebody else's process, or a checkout, works in the project."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError


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
