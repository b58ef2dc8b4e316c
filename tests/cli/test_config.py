"""The laws of `guiderail config`."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.settings import KEYS, basic, default_of
from tests.cli.conftest import Result

Run = Callable[..., Result]


def test_show_names_the_source_of_each_value(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is listed, with who set it."""
    monkeypatch.setenv("GUIDERAIL_SEED", "7")
    Path("pyproject.toml").write_text("[tool.guiderail]\nuntil = 'block'\n", encoding="utf-8")
    rows = [line.split("# ") for line in guiderail("config", "show").out.splitlines()]
    assert [row[0].split()[0] for row in rows] == list(KEYS)
    sources = {row[0].strip().replace(" ", ""): row[1] for row in rows}
    assert sources["seed=7"] == "environment GUIDERAIL_SEED"
    assert sources['until="block"'] == f"{Path('pyproject.toml').resolve()} [tool.guiderail]"
    assert sources["top_k=0"] == "default"


def test_what_show_prints_is_a_settings_file(guiderail: Run, home: Path) -> None:
    """The table is TOML with the same values: it can be copied into config.toml."""
    out = guiderail("config", "show").out
    assert tomllib.loads(out) == {key: default_of(key) for key in KEYS}
    file = home / "config" / "guiderail" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(out, encoding="utf-8")
    assert str(file) in guiderail("config", "show").out


def test_show_json_has_value_source_and_range(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs get the same, and what is allowed."""
    monkeypatch.setenv("GUIDERAIL_TOP_P", "0.5")
    row = json.loads(guiderail("config", "show", "--json").out)["top_p"]
    assert row["value"] == 0.5
    assert row["source"] == {"kind": "environment", "place": "GUIDERAIL_TOP_P"}
    assert row["allowed"] == "a number above 0 to 1"


def test_path_prints_the_files_strongest_first(guiderail: Run, home: Path) -> None:
    """Outside a project only the person's own file is read, inside one the project's first."""
    own = str(home / "config" / "guiderail" / "config.toml")
    assert guiderail("config", "path").out.splitlines() == [own]
    Path("pyproject.toml").touch()
    assert guiderail("config", "path").out.splitlines() == [str(Path("pyproject.toml").resolve()), own]


def test_a_wrong_setting_fails_in_one_line(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad value is one line that names the range and the source, exit code 2."""
    monkeypatch.setenv("GUIDERAIL_TOP_P", "2")
    line = "guiderail: top_p must be a number above 0 to 1, not '2' (environment GUIDERAIL_TOP_P)\n"
    assert guiderail("config", "show") == Result(2, "", line)


def test_help_has_the_ten_that_matter_first_and_all_others(guiderail: Run) -> None:
    """Basic settings have a line each, in their order; the advanced ones are named."""
    out = guiderail("config", "--help").out
    first, _, others = out.partition("Advanced")
    lines = [line.split()[0] for line in first.partition("first:")[2].splitlines() if line.strip()]
    assert lines == list(basic())
    assert len(set(lines)) == 10
    assert all(key in others for key in KEYS if key not in lines)
