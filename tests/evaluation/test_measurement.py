"""The one format of every measurement."""

from __future__ import annotations

import json
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
