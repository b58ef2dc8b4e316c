"""``guiderail eval soundness`` on a project, with a real analyser."""

import json
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named
from tests.monitors.python.layouts import environment

SOURCE = "import os\nimport json\n\n\ndef f(path):\n    return os.path.join(path, json.dumps(path))\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one file, with an environment."""
    if server_named("pyrefly").find() is None:
        pytest.skip("pyrefly is not installed: pip install pyrefly")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "module.py").write_text(SOURCE)
    environment(tmp_path / "project" / ".venv", "attrs")  # without one nobody can say what may be imported
    return tmp_path / "project"


def test_true_code_is_allowed(guiderail, project: Path) -> None:
    """Each monitor has a row with its triggers, and what is true is forbidden nowhere."""
    options = ("--monitor", "dereference,imports,arguments", "--analyser", "pyrefly", "--n", "9", "--json", "-")
    rows = json.loads(guiderail("eval", "soundness", "--folder", project, *options).out)["rows"]
    assert [row["monitor"] for row in rows] == ["dereference", "arguments", "imports"]
    for row in rows:
        assert row["triggers"] == row["constrained"] + sum(row["abstained"].values())
        assert row["constrained"] == row["truth_allowed"] > 0
        assert row["set_size"] > 0


def test_a_table_keeps_what_was_not_measured(guiderail, project: Path, tmp_path: Path) -> None:
    """The counts of a monitor are entered in place of its old ones; those of others stay."""
    table = tmp_path / "trust.json"
    other = {"language": "python", "monitor": "imports", "analyser": "pyrefly", "situation": "known"}
    old = other | {"monitor": "dereference"}
    rows = [other | {"right": 1, "of": 1}, old | {"right": 0, "of": 99}]
    table.write_text(json.dumps({"rows": rows}))
    options = ("--monitor", "dereference", "--analyser", "pyrefly", "--n", "9", "--trust", table)
    guiderail("eval", "soundness", "--folder", project, *options)
    found = {
        (row["monitor"], row["situation"]): (row["right"], row["of"]) for row in json.loads(table.read_text())["rows"]
    }
    assert found == {("imports", "known"): (1, 1), ("dereference", "known"): (3, 3)}


def test_a_monitor_that_there_is_not_is_refused(guiderail, project: Path) -> None:
    """A wrong name, or one that does not know the language, is an error of usage."""
    for name, said in (("nothing", "no monitor 'nothing'"), ("instantiation", "knows python")):
        answer = guiderail("eval", "soundness", "--folder", project, "--monitor", name)
        assert answer.code == 2
        assert said in answer.err
