"""``guiderail next`` in a repository that somebody else wrote: its names lead nowhere, and nothing of it takes long."""

import hashlib
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from guiderail.cli.git import Revision
from guiderail.cli.next import _quoted
from guiderail.errors import UsageError
from guiderail.text.source import SIZE_LIMIT

WAS = b"def old(x):\n    return x\n\n\nold(1)\n"
NOW = WAS.replace(b"def old", b"def new")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty repository beside files of the person."""
    root = tmp_path / "project"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], check=True, cwd=root)
    return root


def stored(root: Path, kind: str, data: bytes) -> str:
    """Write a git object, without the checks that git itself makes; its name."""
    data = f"{kind} {len(data)}\0".encode() + data
    name = hashlib.sha1(data).hexdigest()
    path = root / ".git/objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(data))
    return name


def revision(root: Path, names: dict[str, bytes]) -> Revision:
    """A commit of files of these names."""
    entries = [f"100644 {name}\0".encode() + bytes.fromhex(stored(root, "blob", data)) for name, data in names.items()]
    tree = stored(root, "tree", b"".join(entries))
    return Revision(root, stored(root, "commit", f"tree {tree}\nauthor A <a> 1 +0\ncommitter A <a> 1 +0\n\nm\n".encode()))


def test_names_of_a_revision_do_not_lead_out(root: Path) -> None:
    """Names that are absolute, hold dots, or are under a folder that is a link by now."""
    outside = root.parent / "outside"
    outside.mkdir()
    for path in (outside / "a.py", root.parent / "b.py", root / "in.py"):
        path.write_bytes(NOW)
    (root / "folder").symlink_to(outside)
    names = (str(outside / "a.py"), "../b.py", "folder/a.py", "in.py", "d/" * 3000 + "x.py", "n" * 5000)
    assert list(revision(root, dict.fromkeys(names, WAS)).changed()) == [(root / "in.py", NOW)]


def test_large_files_are_not_read(root: Path) -> None:
    with (root / "sparse.py").open("wb") as file:
        file.truncate(1 << 42)
    (root / "bomb.py").write_bytes(NOW)
    then = revision(root, {"sparse.py": WAS, "bomb.py": b"a" * (SIZE_LIMIT + 1)})
    assert [path.name for path, _ in then.changed()] == ["bomb.py"]
    with pytest.raises(UsageError, match="cannot read"):
        then.text(root / "bomb.py")


def test_a_name_in_a_patch_holds_no_other_patch() -> None:
    name = 'a/x\n--- a/Makefile\n+++ b/Makefile\n@@ -0,0 +1 @@\n+evil:\x1b]0;"\udcff.py'
    assert "\n" not in _quoted(name)
    assert (_quoted("a/ü b.py"), _quoted('a/"')) == ("a/ü b.py", '"a/\\042"')
