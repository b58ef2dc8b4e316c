"""Who analyses which language."""

import json

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
