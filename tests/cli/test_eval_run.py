"""`guiderail eval run`, `tasks` and `report`, with a tiny model and a folder of projects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guiderail.cli.eval_run import shipped
from guiderail.cli.main import run
from tests.evaluation.runs import written


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run of one task a project, by the command."""
    file = written(tmp_path, functions=1)
    assert run(["eval", "run", str(file), "--out", str(tmp_path / "out")]) == 0
    return tmp_path


def test_one_command_ends_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table in the terminal, how fast it was, and the page."""
    file, html = written(tmp_path, functions=1), tmp_path / "report.html"
    assert run(["eval", "run", str(file), "--out", str(tmp_path / "out"), "--html", str(html)]) == 0
    printed = capsys.readouterr()
    assert "small: dereference, 2 tasks of 2 packages" in printed.out and "NIM@2" in printed.out
    assert "6 samples, " in printed.err and " a minute" in printed.err
    assert "<h1>small</h1>" in html.read_text()


def test_a_second_run_goes_on(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked again."""
    assert run(["eval", "run", str(finished / "run.toml"), "--out", str(finished / "out")]) == 0
    assert "4 of 4 are there already" in capsys.readouterr().err


def test_another_configuration_is_refused_in_the_same_folder(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what differs, and what to do."""
    file = finished / "run.toml"
    file.write_text(file.read_text().replace("max_tokens = 6", "max_tokens = 7"))
    assert run(["eval", "run", str(file), "--out", str(finished / "out")]) == 2
    assert "other configuration" in capsys.readouterr().err


def test_the_report_writes_rows_and_shows_other_measurements(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run beside the JSON of another command, in one page; its tables as JSON."""
    capsys.readouterr()
    other = finished / "decode.json"
    other.write_text(json.dumps({"meta": {}, "rows": [{"engine": "a", "tokens_per_s": 3.0}]}))
    out, html = str(finished / "out"), str(finished / "both.html")
    assert run(["eval", "report", out, str(other), "--html", html, "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in record["rows"]] == ["greedy", "sampling"]
    assert {"versions", "commit", "hardware", "seeds", "config"} <= record["meta"].keys()
    assert "<h1>decode</h1>" in Path(html).read_text()


def test_what_is_no_measurement_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder, and JSON of something else."""
    (tmp_path / "x.json").write_text("{}")
    assert run(["eval", "report", str(tmp_path / "x.json")]) == 2
    assert run(["eval", "report", str(tmp_path)]) == 2
    assert "Name a run's folder" in capsys.readouterr().err


def test_a_set_is_built_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its digest; each task is the file cut in three."""
    written(tmp_path)
    target = tmp_path / "tasks.jsonl"
    assert run(["eval", "tasks", str(tmp_path / "own.toml"), "--out", str(target)]) == 0
    assert "8 dereference, 2 packages\ndigest " in capsys.readouterr().out
    tasks = [json.loads(line) for line in target.read_text().splitlines()]
    code = (tmp_path / "projects" / "alpha" / "code.py").read_text()
    assert code in {task["prefix"] + task["truth"] + task["suffix"] for task in tasks}


def test_shipped_configurations_have_names() -> None:
    """quick is a name; a path is a path."""
    assert shipped("quick").is_file() and shipped("quick.toml") == Path("quick.toml")
