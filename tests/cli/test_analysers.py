"""Who analyses which language."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from guiderail.choices import ANALYSERS
from guiderail.monitors.analysis import workspaces
from guiderail.monitors.analysis.servers import names


def test_every_analyser_is_listed(guiderail) -> None:
    """The list names all analysers, where each is or how to get it, and at most one is taken for a language."""
    rows = json.loads(guiderail("analysers", "ls", "--json").out)
    assert tuple(row["name"] for row in rows) == names()
    assert all(row["program"] or row["obtain"] for row in rows)
    assert names()[: len(ANALYSERS)] == ANALYSERS  # then come those of other packages
    chosen = [language for row in rows for language in row["chosen"]]
    assert len(chosen) == len(set(chosen))
    assert guiderail("analysers", "ls").out.count("\n") == len(rows)


@pytest.mark.e2e
def test_the_default_analyser_works(guiderail) -> None:
    """The analyser that comes with guiderail answers."""
    result = guiderail("analysers", "check", "pyrefly", "--json")
    assert result.code == 0
    assert json.loads(result.out)[0]["ok"]


def test_what_cannot_be_installed(guiderail) -> None:
    """A language without an analyser is wrong use, one that needs something else says what."""
    assert guiderail("analysers", "install", "cobol-85").code == 2
    unknown = guiderail("analysers", "install", "haskell")
    assert unknown.code == 2
    assert "typescript" in unknown.err
    java = guiderail("analysers", "install", "java")
    assert java.code == 2
    assert "JDK" in java.err


def test_workspaces_are_trusted_and_not_any_more(guiderail, home: Path) -> None:
    """A folder is trusted with all below it until it is taken off the list, which is the person's own."""
    Path("a/b").mkdir(parents=True)
    assert guiderail("analysers", "trust", "a").code == 0
    assert workspaces.is_trusted(Path("a/b"))
    assert not workspaces.is_trusted(Path())
    assert guiderail("analysers", "trust", "--list").out.strip() == str(Path("a").resolve())
    assert workspaces.file().is_relative_to(home)
    assert guiderail("analysers", "trust", "--remove", "a").code == 0
    assert not workspaces.is_trusted(Path("a/b"))
    assert guiderail("analysers", "trust", "--remove", "a").code == 2


def test_a_project_cannot_trust_itself(guiderail) -> None:
    """Trust in a project's own settings is left out, and the message says where it belongs."""
    Path("pyproject.toml").write_text('[tool.guiderail]\ntrust = "always"\n')
    Path(".git").mkdir()
    result = guiderail("doctor")
    assert result.err.count("trust is not for a project to decide") == 1
    assert "trust is not for a project to decide" in result.out
    assert "config.toml" in result.err
    shown = json.loads(guiderail("config", "show", "--json").out)["trust"]
    assert (shown["value"], shown["owner"]) == ("listed", "person")


def test_an_unknown_analyser_is_wrong_use(guiderail) -> None:
    """A name that is no analyser fails and names those that are."""
    result = guiderail("analysers", "check", "nobody")
    assert result.code == 2
    assert "pyrefly" in result.err


@pytest.mark.e2e
def test_completions_are_watched_by_default(guiderail, small, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any setting a dereference is asked about, and the answer says what came of it and fits its schema."""
    monkeypatch.delenv("GUIDERAIL_MONITORS")
    Path("deref.py").write_text("class Point:\n    def __init__(self):\n        self.left = 1\n\n\nprint(Point().")
    schema = json.loads(resources.files("guiderail.cli").joinpath("schema/complete.json").read_text())
    answer = json.loads(guiderail("complete", "deref.py", "--json").out)
    jsonschema.validate(answer, schema)
    (watch, *_) = answer["suggestions"][0]["monitors"]["watches"]
    assert watch["receiver"] == "print(Point()."
    assert watch["legal"] or watch["abstained"] == "late"


def test_monitors_can_be_turned_off(guiderail, small, source) -> None:
    """With --no-monitors nothing is asked."""
    answer = json.loads(guiderail("complete", source, "--no-monitors", "--json").out)
    assert answer["suggestions"][0]["monitors"] is None
