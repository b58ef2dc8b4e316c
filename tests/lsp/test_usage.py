"""The file of counts: bounded, private, exact with several servers, and never in the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    ["", "[]", "{", '{"since": "x", "rows": []}', '{"since": "2026-01-01", "rows": [{"language": "a"}]}', "null"],
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
    assert file.has_pending
    (tmp_path / "state").unlink()
    file.save()
    assert json.loads(file.path.read_text())["rows"][0]["shown"] == 1


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
