"""The laws of flags: made from the settings, checked by the settings."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from guiderail.cli.complete import complete
from guiderail.cli.options import resolved, setting_flags
from guiderail.settings import KEYS, default_of, flag_of


def test_complete_has_a_flag_for_every_setting() -> None:
    """Whatever can be set in a file can be set for one command."""
    flags = {option for parameter in complete.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {flag_of(key) for key in KEYS} <= flags
    assert "--no-context" in flags


def test_help_shows_each_default() -> None:
    """The default in the help is the one in the settings."""
    text = " ".join(CliRunner().invoke(complete, ["--help"]).output.split())
    for key in KEYS:
        default = default_of(key)
        assert f"[default: {str(default).lower() if isinstance(default, bool) else default}]" in text


def test_a_flag_that_is_not_given_is_none_and_others_stay_text() -> None:
    """Flags are handed on unread, so that the settings can name them as the source."""
    got: dict[str, object] = {}

    @click.command()
    @setting_flags("context", "seed", "until")
    def command(**flags: object) -> None:
        got.update(flags)

    CliRunner().invoke(command, ["--seed", "x"], catch_exceptions=False)
    assert got == {"context": None, "seed": "x", "until": None}
    CliRunner().invoke(command, ["--no-context"], catch_exceptions=False)
    assert got["context"] is False


def test_the_project_is_that_of_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings come from the project around a file, else around the current folder."""
    for name, seed in (("here", 1), ("there", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f"[tool.guiderail]\nseed = {seed}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    assert resolved({}).value("seed") == 1
    assert resolved({}, Path("../there/module.py")).value("seed") == 2
