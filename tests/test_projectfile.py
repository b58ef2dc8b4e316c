"""Whatever a project puts where a file is expected: it is read if it is one, and named at once if it is not."""

import os
import time
from pathlib import Path

import pytest

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError

SOON_S = 2.0


def test_a_regular_file_is_read_and_a_missing_one_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "x"\n', encoding="utf-8")
    assert projectfile.read_toml(tmp_path / "a.toml", tmp_path) == {"name": "x"}
    assert projectfile.read_text(tmp_path / "b.toml", tmp_path) is None
    assert projectfile.read_text(tmp_path / "a.toml" / "b", tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "loop", "link to a fifo"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    place, other = tmp_path / "pyproject.toml", tmp_path / "other"
    match kind:
        case "fifo":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/zero")
        case "folder":
            place.mkdir()
        case "loop":
            place.symlink_to(place)
        case _:
            os.mkfifo(other)
            place.symlink_to(other)
    start = time.monotonic()
    with pytest.raises(ProjectFileError, match=r"pyproject\.toml"):
        projectfile.read_text(place)
    assert time.monotonic() - start < SOON_S


def test_a_link_may_lead_inside_the_root_and_not_out_of_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("s", encoding="utf-8")
    (root / "own").write_text("o", encoding="utf-8")
    (root / "in").symlink_to(root / "own")
    (root / "out").symlink_to(tmp_path / "secret")
    assert projectfile.read_text(root / "in", root) == "o"
    with pytest.raises(ProjectFileError, match="leads out of"):
        projectfile.read_text(root / "out", root)


def test_size_depth_and_long_keys_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "f"
    for text in ("x" * 5000, "a=" + "[" * 4000 + "]" * 4000, "a." * 4000 + "a=1", "a={" + "a." * 4000 + "a=1}"):
        file.write_text(text, encoding="utf-8")
        start = time.monotonic()
        with pytest.raises(ProjectFileError):
            projectfile.read_toml(file, limit=4999 if text[0] == "x" else 1 << 20)
        assert time.monotonic() - start < SOON_S
    file.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(ProjectFileError, match="not valid JSON"):
        projectfile.read_json(file)
