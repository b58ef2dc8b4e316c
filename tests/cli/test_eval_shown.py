"""``guiderail eval shown`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guiderail.cli.eval_shown import projects_in, shown
from guiderail.errors import UsageError

GO = "package a\n\nfunc add(left int, right int) int {\n\tresult := left + right\n\treturn result\n}\n\n" * 8


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """Two projects in one folder; package clauses stand once a file."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = GO.replace("package a\n\n", "").replace("add", f"add_{name}")
        (tmp_path / name / "add.go").write_text(f"package a\n\n{text}", encoding="utf-8")
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_subfolders_with_files_in_the_language_are_projects(projects: Path) -> None:
    assert sorted(projects_in(projects, "go")) == ["one", "two"]
    with pytest.raises(UsageError, match=r"no subfolder of .* has files in rust"):
        projects_in(projects, "rust")


def test_each_confidence_has_rows_and_a_second_run_asks_nothing(
    projects: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was answered is in the file of samples, and gives the same figures again."""
    words = ["--folder", str(projects), "--language", "go", "--n", "2", "--model", str(tiny_model), "--no-monitors"]
    words += [
        "--samples",
        str(tmp_path / "samples.jsonl"),
        "--json",
        "-",
        "--confidence",
        "off",
        "--confidence",
        "quiet",
    ]
    found = []
    for _ in range(2):
        shown.main(words, standalone_mode=False)
        found.append(json.loads(capsys.readouterr().out)["rows"])
        lines = (tmp_path / "samples.jsonl").read_text().splitlines()
        assert len(lines) == 1 + 2 * 2 * 2
    assert found[0] == found[1]
    assert [(row["setting"], row["cursors"]) for row in found[0] if row["where"] == "all"] == [("off", 4), ("quiet", 4)]
