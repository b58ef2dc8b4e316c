"""The one format of every measurement."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from guiderail import __version__
from guiderail.errors import UsageError
from guiderail.evaluation import measurement


def test_a_record_names_versions_commit_hardware_and_seeds() -> None:
    meta = measurement.meta({"tasks": 3}, libraries=("hypothesis", "no-such-library"), extra=1)
    assert meta["versions"]["guiderail"] == __version__
    assert meta["versions"]["hypothesis"][0].isdigit()
    assert meta["versions"]["no-such-library"] == "absent"
    assert meta["hardware"]["cores"] >= 1 and meta["hardware"]["cpu"]
    assert meta["seeds"] == {"tasks": 3} and meta["extra"] == 1 and meta["commit"]


def test_two_edits_of_a_checkout_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are new files; what is no code makes a change, and no difference."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    module, page = tmp_path / "guiderail" / "evaluation" / "measurement.py", tmp_path / "page.md"
    module.parent.mkdir(parents=True)
    for file in (module, page):
        file.write_text("one\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD").strip()
    monkeypatch.setattr(measurement, "__file__", str(module))
    assert measurement.commit() == head
    found = []
    for file, data in ((page, b"a"), (module, b"a"), (module, b"\xff"), (module.with_name("new.py"), b"a")):
        file.write_bytes(data)
        found.append(measurement.commit())
    assert all(name.startswith(f"{head}+changes.") for name in found) and len(set(found)) == len(found)
    page.write_text("b")
    assert measurement.commit() == found[-1]


def test_a_written_record_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"model": "m", "value": 0.5, "interval": (0.25, 1.0)}]
    measurement.write(str(tmp_path / "r.json"), {"seeds": {}}, rows)
    expected = {"meta": {"seeds": {}}, "rows": [{"model": "m", "value": 0.5, "interval": [0.25, 1.0]}]}
    assert json.loads((tmp_path / "r.json").read_text()) == expected
    measurement.write("-", {"seeds": {}}, rows)
    assert json.loads(capsys.readouterr().out) == expected


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        measurement.write(str(tmp_path / "missing" / "r.json"), {}, [])


def test_what_json_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        measurement.write(str(tmp_path / "r.json"), {}, [{"value": float("nan")}])
