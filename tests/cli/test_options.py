"""The laws of flags: made from the settings, checked by the settings."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from guiderail.cli.complete import complete
from guiderail.cli.lsp import lsp
from guiderail.cli.main import run
from guiderail.cli.options import OUTPUT, resolved, setting_flags
from guiderail.errors import UsageError
from guiderail.settings import KEYS, default_of, flag_of


def test_complete_has_a_flag_for_every_setting() -> None:
    """Whatever can be set in a file can be set for one command; what only the server does, for the server."""
    flags, of_server = _flags(complete), _flags(lsp)
    assert {flag_of(key) for key in KEYS} - flags == {"--offer-models"}
    assert "--offer-models" in of_server
    assert "--no-context" in flags


def _flags(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_help_shows_each_default() -> None:
    """The default in the help is the one in the settings; an empty one is not shown."""
    text = " ".join(CliRunner().invoke(complete, ["--help"]).output.split())
    shown = {str(default).lower() if isinstance(default, bool) else str(default) for default in map(default_of, KEYS)}
    assert all(f"[default: {default}]" in text for default in shown - {""})
    assert "[default: ]" not in text


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
    for name, tokens in (("here", 1), ("there", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f"[tool.guiderail]\nmax_tokens = {tokens}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    assert resolved({}).value("max_tokens") == 1
    assert resolved({}, Path("../there/module.py")).value("max_tokens") == 2


def names_here() -> list[str]:
    return sorted(path.name for path in Path.cwd().iterdir())


@pytest.mark.parametrize("target", [".", "none/out.json", "file/out.json", "to_nowhere"])
def test_a_target_that_cannot_be_written_is_known_before_the_work(target: str) -> None:
    """Folders, missing folders and links to them are refused in one line."""
    Path("file").write_text("mine", encoding="utf-8")
    Path("to_nowhere").symlink_to("none/here")
    with pytest.raises(UsageError, match="cannot write "):
        OUTPUT.convert(target, None, None)
    assert names_here() == ["file", "to_nowhere"]


def test_looking_at_a_target_leaves_everything_as_it_is() -> None:
    """No file is made, none is emptied, and nobody who reads a pipe is woken."""
    Path("old.json").write_text("{}", encoding="utf-8")
    Path("link.json").symlink_to("new.json")
    os.mkfifo("pipe")
    for target in ("old.json", "new.json", "link.json", "pipe", "/dev/null", "-"):
        assert OUTPUT.convert(target, None, None) == target
    assert Path("old.json").read_text(encoding="utf-8") == "{}"
    assert names_here() == ["link.json", "old.json", "pipe"]


@pytest.mark.parametrize(
    "command",
    [
        ["eval", "model", "--json"],
        ["eval", "model", "--samples"],
        ["eval", "contamination", "--json"],
        ["eval", "tune", "--json"],
        ["bench", "decode", "--json"],
    ],
)
def test_every_measurement_refuses_its_target_first(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a package is fetched nor a model loaded for figures that nobody could keep."""
    for heavy in ("guiderail.evaluation.packages.fetch", "guiderail.model.load.load"):
        monkeypatch.setattr(heavy, lambda *_, **__: pytest.fail("began the work"))
    assert run([*command, "none/figures.json"]) == 2
    line = "guiderail: cannot write none/figures.json: No such file or directory. Choose another file\n"
    assert capsys.readouterr().err == line
