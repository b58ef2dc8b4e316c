"""``guiderail next`` in a repository that somebody else wrote: its names lead nowhere, and nothing of it takes long."""

import hashlib
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guiderail.cli import git
from guiderail.cli.git import Revision
from guiderail.cli.patch import _quoted
from guiderail.errors import UsageError
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.next_edits import NextEdits
from guiderail.monitors.analysis.answers import Reference, References
from guiderail.monitors.analysis.requests import REFERENCES
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder, InterruptedSearchError
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.renames import MOST_REPLACED, renames
from guiderail.next_edit.source_tree import read
from guiderail.prompt.ignore import Ignore
from guiderail.text.document import Document
from guiderail.text.edit import Edit
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
    return commit(root, {name: stored(root, "blob", data) for name, data in names.items()})


def commit(root: Path, blobs: dict[str, str]) -> Revision:
    """A commit of blobs that are stored."""
    tree = stored(
        root, "tree", b"".join(f"100644 {name}\0".encode() + bytes.fromhex(blob) for name, blob in blobs.items())
    )
    return Revision(
        root, stored(root, "commit", f"tree {tree}\nauthor A <a> 1 +0\ncommitter A <a> 1 +0\n\nm\n".encode())
    )


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


def number(value: int) -> bytes:
    """A number as git writes it: seven bits a byte, the lowest first."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def packed(root: Path, size: int, text: bytes) -> str:
    """Pack a text as a difference from an object of so many letters; its name."""
    whole, pieces = hashlib.sha1(b"blob %d\0" % size), zlib.compressobj(1)
    parts = []
    for _ in range(size >> 20):
        whole.update(b"a" * (1 << 20))
        parts.append(pieces.compress(b"a" * (1 << 20)))
    delta = number(size) + number(len(text)) + bytes([len(text)]) + text
    entries = {
        whole.hexdigest(): (3, size, b"".join([*parts, pieces.flush()])),
        hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest(): (
            7,
            len(delta),
            whole.digest() + zlib.compress(delta),
        ),
    }
    pack, places = struct.pack(">4sII", b"PACK", 2, len(entries)), {}
    for name, (kind, length, data) in entries.items():
        head = number(kind << 4 | length & 15 | (length >> 4) << 7)  # the lowest seven bits are the kind and four
        places[name] = (len(pack), zlib.crc32(head + data))
        pack += head + data
    pack += hashlib.sha1(pack).digest()
    fan = [sum(int(name[:2], 16) <= first for name in places) for first in range(256)]
    index = b"\xfftOc" + struct.pack(">257I", 2, *fan) + b"".join(bytes.fromhex(name) for name in sorted(places))
    index += b"".join(struct.pack(">I", places[name][1]) for name in sorted(places))
    index += b"".join(struct.pack(">I", places[name][0]) for name in sorted(places)) + pack[-20:]
    path = root / ".git/objects/pack" / f"pack-{pack[-20:].hex()}.pack"
    path.write_bytes(pack)
    path.with_suffix(".idx").write_bytes(index + hashlib.sha1(index).digest())
    return list(entries)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot limit another process's memory")
def test_git_takes_no_memory_without_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository of 5 MB had git take 1.2 GB; the size is whatever its author wrote."""
    then = commit(root, {"a.py": packed(root, 256 << 20, WAS), "b.py": stored(root, "blob", NOW)})
    assert then.text(root / "a.py") == WAS  # it is a right object
    monkeypatch.setattr(git, "MEMORY", 100 << 20)
    assert then.text(root / "b.py") == NOW
    with pytest.raises(UsageError, match="cannot read"):
        then.text(root / "a.py")


def test_a_name_in_a_patch_holds_no_other_patch() -> None:
    name = 'a/x\n--- a/Makefile\n+++ b/Makefile\n@@ -0,0 +1 @@\n+evil:\x1b]0;"\udcff.py'
    assert "\n" not in _quoted(name)
    assert (_quoted("a/ü b.py"), _quoted('a/"')) == ("a/ü b.py", '"a/\\042"')


@contextmanager
def soon() -> Iterator[None]:
    """Less than 20 seconds of this thread; what these tests found took minutes."""
    begun = time.thread_time()
    yield
    assert time.thread_time() - begun < 20


class EachCall:
    """An analyser that answers with the lines that begin with a name, and finds no errors."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def ask(self, kind: Any, question: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        lines = enumerate(question.text.split("\n"))
        places = (Reference(self._path, at, 0, "utf-32") for at, line in lines if line.startswith(self._name))
        answer.set_result(References(True, tuple(places)) if kind is REFERENCES else ())
        return answer


def renamed(path: Path, count: int) -> tuple[Document, Document]:
    """A file whose function was renamed, with so many calls of it."""
    before = "def old():\n    pass\n" + "old()\n" * count
    path.write_text(before.replace("def old", "def new"))
    return Document(before, path, "python"), Document(path.read_text(), path, "python")


def test_thousands_of_uses_are_found_soon(tmp_path: Path) -> None:
    before, after = renamed(tmp_path / "a.py", 20_000)
    finder = Finder(EachCall(tmp_path / "a.py", "old"), Files(tmp_path, {}))  # pyright: ignore[reportArgumentType]
    with soon():
        found = finder.find(before, after)
    assert (len(found.edits), found.left) == (20_000, ())


def test_a_search_ends_among_the_places_once_nobody_waits(tmp_path: Path) -> None:
    """Searches that went on would take all threads from those that follow."""
    before, after = renamed(tmp_path / "a.py", 1000)
    asked = iter(range(100))
    finder = Finder(
        EachCall(tmp_path / "a.py", "old"),  # pyright: ignore[reportArgumentType]
        Files(tmp_path, {}),
        lambda: next(asked, None) is None,
    )
    with pytest.raises(InterruptedSearchError):
        finder.find(before, after)


@pytest.mark.parametrize("replaced", [MOST_REPLACED, 3900])
def test_names_in_a_long_list_are_looked_at_soon(replaced: int) -> None:
    """The children of the list are not read again for each name."""
    text = "x = [" + "1, " * 90_000 + ", ".join(["old"] * replaced) + "]\n"
    before, after = (read(Document(one, None, "python")) for one in (text, text.replace("old", "new")))
    assert before is not None
    assert after is not None
    with soon():
        assert list(renames(Alignment(before, after))) == []


def test_offers_in_a_long_line_are_made_soon(tmp_path: Path) -> None:
    """On the event loop: the columns of one offer alone are counted in code units."""
    path = tmp_path / "a.py"
    text = "x = ['ü', " + "1234, " * 90_000 + "old(1), " * 20_000 + "]\n"
    document, buffer = Document(text, path, "python"), Buffer(path.as_uri(), "python", text, 1, "utf-16")
    places = (found.start() for found in re.finditer("old", text))
    client = SimpleNamespace(buffers={buffer.uri: buffer}, encoding="utf-16")
    edits = NextEdits(client, lambda: None)  # pyright: ignore[reportArgumentType]
    edits._found = [Proposal(document, Edit(at, at + 3, "new"), "rename", "old → new") for at in places]
    begun = time.thread_time()
    offers = edits.offers()
    assert time.thread_time() - begun < 2
    assert (len(offers), offers[0].range.start.character) == (20_000, text.index("old"))


def test_ignore_rules_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analyser may name thousands of files, and reading a hostile .gitignore takes a second."""
    made: list[Path] = []

    def counted(root: Path) -> Ignore:
        made.append(root)
        return Ignore(root)

    monkeypatch.setattr("guiderail.next_edit.files.ignored", counted)
    files = Files(tmp_path, {})
    assert [files.get(tmp_path / f"{number}.py") for number in range(10)] == [None] * 10
    assert len(made) == 1
