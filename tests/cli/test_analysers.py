"""Who analyses which language."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from guiderail.monitors.analysis.server import NAMES


def test_every_analyser_is_listed(guiderail) -> None:
    """The list names all analysers, where each is or how to get it, and at most one is taken for a language."""
    rows = json.loads(guiderail("analysers", "ls", "--json").out)
    assert tuple(row["name"] for row in rows) == NAMES
    assert all(row["program"] or row["obtain"] for row in rows)
    assert sum("python" in row["chosen"] for row in rows) <= 1
    assert guiderail("analysers", "ls").out.count("\n") == len(rows)


@pytest.mark.e2e
def test_the_default_analyser_works(guiderail) -> None:
    """The analyser that comes with guiderail answers."""
    result = guiderail("analysers", "check", "pyrefly", "--json")
    assert result.code == 0
    assert json.loads(result.out)[0]["ok"]


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
