"""`guiderail eval dotprompts` on a file of the original's layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guiderail.cli.main import run
from tests.evaluation.formats.test_dotprompts import PLACE, TEXT, table


def test_results_become_the_originals_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row a configuration, as a table and as a record."""
    (tmp_path / "r" / "src").mkdir(parents=True)
    (tmp_path / "r" / "src" / "A.java").write_text(TEXT)
    outputs = [("CG-350M", "size(2);\n  }", 0), ("CG-350M-MGD", "size(1);\n  }", 1)]
    rows = [PLACE | {"configuration": name, "output": o, "compilationSucceeded": ok} for name, o, ok in outputs]
    results, target = table(tmp_path / "results.csv", rows), tmp_path / "figures.json"
    assert run(["eval", "dotprompts", str(results), "--repositories", str(tmp_path), "--json", str(target)]) == 0
    assert "100.00 / 100.00" in capsys.readouterr().out
    record = json.loads(target.read_text())
    assert [(row["configuration"], row["cr@1"], row["nim@1"]) for row in record["rows"]] == [
        ("CG-350M", 0, 100),
        ("CG-350M-MGD", 100, 100),
    ]
    assert "results_sha256" in record["meta"]


def test_a_missing_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    assert run(["eval", "dotprompts", str(tmp_path / "none.csv"), "--repositories", str(tmp_path)]) == 2
    assert "cannot read" in capsys.readouterr().err
