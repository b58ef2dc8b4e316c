"""The file of counts: bounded, private, exact with several servers, and never in the way."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from guiderail import projectfile
from guiderail.errors import GuiderailError
from guiderail.lsp.usage import NAME, OTHER, ROWS, Counts, UsageFile


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """However many languages and models there are, and however long their names."""
    file = UsageFile(tmp_path / "usage.json")
    for number in range(3 * ROWS):
        file.count("x" * 1000 + str(number), f"{number}" + "m" * 1000, shown=1)
        file.count(f"l{number}", "m", shown=1)
        file.save()
    rows = file.read().rows
    assert len(rows) == ROWS
    assert sum(counts.shown for counts in rows.values()) == 6 * ROWS
    assert rows[OTHER, OTHER].shown > ROWS
    assert file.path.stat().st_size < ROWS * (2 * NAME + 200)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"since": "x", "rows": []}',
        '{"since": "2026-01-01", "rows": [{"language": "a"}]}',
        "null",
        '{"since": "2026-01-01", "rows": [{"language": "a", "model": "m", "shown": 1e999, "accepted": 0}]}',
    ],
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    file = UsageFile(tmp_path / "usage.json")
    file.path.write_text(text)
    file.count("python", "m", shown=1)
    file.save()
    assert file.read().rows == {("python", "m"): Counts(shown=1)}


def test_a_file_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """What was counted is kept for the next time."""
    (tmp_path / "state").write_text("a file where a folder should be")
    file = UsageFile(tmp_path / "state" / "usage.json")
    file.count("python", "m", shown=1)
    file.save()
    (tmp_path / "state").unlink()
    file.save()
    assert json.loads(file.path.read_text())["rows"][0]["shown"] == 1


def test_a_file_that_cannot_be_read_is_not_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files may be open for the moment: what it holds, and what was counted, is there the next time."""
    file = UsageFile(tmp_path / "usage.json")
    file.count("python", "m", shown=1)
    file.save()
    file.count("python", "m", shown=1)
    with monkeypatch.context() as full:
        full.setattr(projectfile, "stat", Mock(S_ISREG=Mock(side_effect=OSError(errno.EMFILE, "Too many open files"))))
        file.count("python", "m", shown=1)
        file.save()
        with pytest.raises(GuiderailError, match="Too many open files"):
            file.read()
    file.save()
    assert file.read().rows == UsageFile(file.path).read().rows == {("python", "m"): Counts(shown=3)}


def test_forgotten_counts_do_not_come_back(tmp_path: Path) -> None:
    """What a running server had counted, but not saved, is forgotten too; what it counts afterwards is not."""
    server, person = UsageFile(tmp_path / "usage.json"), UsageFile(tmp_path / "usage.json")
    server.count("python", "m", shown=1)
    server.save()
    server.count("python", "m", shown=1, accepted=1)
    person.reset()
    server.save()
    assert server.read().rows == person.read().rows == {}
    server.count("python", "m", accepted=1)  # of one that was shown before
    server.count("ruby", "m", shown=1)
    server.save()
    rows = person.read().rows
    assert rows["ruby", "m"] == Counts(shown=1)
    assert rows["python", "m"] == Counts()


def test_a_server_that_was_first_to_count_does_not_lose_that(tmp_path: Path) -> None:
    """A file that comes meanwhile is no sign that all was forgotten, nor is one of an earlier version."""
    one, other = UsageFile(tmp_path / "usage.json"), UsageFile(tmp_path / "usage.json")
    one.count("python", "m", shown=1)
    other.count("python", "m", shown=1)
    other.save()
    one.save()
    assert one.read().rows == {("python", "m"): Counts(shown=2)}
    held = json.loads(one.path.read_text())
    del held["generation"]
    one.path.write_text(json.dumps(held))
    one.count("python", "m", shown=1)
    other.count("python", "m", shown=1)
    other.save()
    one.save()
    assert one.read().rows == {("python", "m"): Counts(shown=4)}


_ADD = """
import sys
from pathlib import Path
from guiderail.lsp.usage import UsageFile
file = UsageFile(Path(sys.argv[1]))
for _ in range(50):
    file.count("python", "m", shown=1)
    file.save()
"""


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="files cannot be locked there")
def test_servers_do_not_lose_each_others_counts(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ADD, str(tmp_path / "usage.json")]
    servers = [subprocess.Popen(command) for _ in range(3)]
    assert [server.wait(120) for server in servers] == [0, 0, 0]
    assert UsageFile(tmp_path / "usage.json").read().rows == {("python", "m"): Counts(shown=150)}
