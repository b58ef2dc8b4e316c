"""How a study becomes a command: its plan, its table and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from guiderail.cli.study import JSON, Study, Table, number, quick, seed, study

ROWS = [{"name": "a", "share": 0.25, "lost": None}, {"name": "b", "share": 0.5}]
TABLE = Table({"name": "{name}", "share": "{share:.0%}", "lost": "{lost:.1f}"}, note=lambda row: f"of {row['name']}")


@study(
    "methods",
    TABLE,
    quick("A few"),
    number("Cursors"),
    seed("the cursors"),
    click.option("--word", default="none"),
    JSON,
    seeds=("cursors",),
    libraries=("rapidfuzz",),
)
def made(study: Study, word: str) -> list[dict[str, Any]]:
    """Give the plan back.

    \b
    guiderail eval made
    """
    study.conditions["word"] = word
    return [*ROWS, {"name": "plan", "share": study.plan.lines, "lost": study.plan.seed}]


def ran(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    made.main(words, standalone_mode=False)
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_flags_make_the_plan_and_the_meta(capsys: pytest.CaptureFixture[str]) -> None:
    """--n sets all that the plan counts; the seed is that of everything that is drawn; the rest is the study's own."""
    out, _ = ran(["--quick", "--n", "7", "--seed", "3", "--word", "x", "--json", "-"], capsys)
    found = json.loads(out)
    plan = found["meta"]["plan"]
    assert (plan["lines"], plan["blocks"], plan["seed"], plan["packages"]) == (7, 7, 3, 8)
    assert found["meta"]["seeds"] == {"cursors": 3} and found["meta"]["word"] == "x"
    assert "rapidfuzz" in found["meta"]["versions"]
    assert found["rows"][:2] == ROWS


def test_the_table_gives_way_to_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is on standard output, or on standard error where that holds the JSON."""
    target = tmp_path / "figures.json"
    out, err = ran(["--json", str(target)], capsys)
    assert "25%" in out and "of a\nof b\n" in out and err == ""
    out, err = ran(["--json", "-"], capsys)
    assert "25%" in err and "of a\nof b\n" in err
    assert json.loads(out)["rows"] == json.loads(target.read_text())["rows"]


def test_a_figure_that_a_row_lacks_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it is None or not there at all."""
    TABLE.show(ROWS, to_stdout=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert [line.split()[-2] for line in lines] == ["-", "-"]


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = ran(["--help"], capsys)
    assert all(flag in out for flag in ("--quick", "--n", "--seed", "--word", "--json")) and "Give the plan back" in out
