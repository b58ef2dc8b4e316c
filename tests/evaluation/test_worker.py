"""One process that answers, with a real analyser."""

from __future__ import annotations

from typing import Any

import pytest

from guiderail.evaluation import config as configs
from guiderail.evaluation import runner
from guiderail.evaluation.worker import Worker
from tests.evaluation.runs import Quiet, written

CODE = """class Thing:
    def __init__(self) -> None:
        self.size = 1
        self.colour = "red"

    def grow(self) -> int:
        other = Thing()
        return other.size


def unused(thing: Thing) -> str:
    return thing.colour
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Everything that one worker answered about a class that the analyser knows."""
    folder = tmp_path_factory.mktemp("worker")
    file = written(folder, monitors='["off", "syntax", "dereference"]', functions=2, settings="check = true")
    for name in ("alpha", "beta"):
        (folder / "projects" / name / "code.py").write_text(f"{CODE}\n\n# {'x' * 200}\n")
    config = configs.read(file)
    worker = Worker(config, "here")
    try:
        return [
            row
            for task in runner.collect(config, Quiet(), lambda words: None)
            for system in config.systems()
            for row in worker.answer(task, system)
        ]
    finally:
        worker.stop()


@pytest.mark.e2e
def test_every_answer_is_checked(rows: list[dict[str, Any]]) -> None:
    """An answer compiles if and only if it brings no errors."""
    assert rows and all(row["unchecked"] is None for row in rows)
    assert all((row["compiles"] == 1) == (row["errors"] == []) for row in rows)
    assert all(row["compiles"] == 0 for row in rows if row["parses"] == 0)


@pytest.mark.e2e
def test_monitors_report_what_they_did(rows: list[dict[str, Any]]) -> None:
    """Only where they were on; each forbidden token with its place."""
    watches = [watch for row in rows if row["monitored"] for watch in row["monitored"]["watches"]]
    assert all((row["monitored"] is not None) == (row["monitors"] == "dereference") for row in rows)
    assert [watch for watch in watches if watch["abstained"] is None]
    assert all(len(watch["forbidden"]) == len(watch["at"]) for watch in watches)
    assert any(watch["forbidden"] for watch in watches)


@pytest.mark.e2e
def test_the_syntax_mask_leaves_beginnings_of_python(rows: list[dict[str, Any]]) -> None:
    """A random model writes none by itself."""
    from guiderail.evaluation.syntax_mask import may_go_on

    before = "def f(x):\n    return x."
    masked = [row["output"] for row in rows if row["monitors"] == "syntax"]
    assert masked and all(may_go_on(before + text.split("\n")[0]) for text in masked)


@pytest.mark.e2e
def test_samples_that_were_drawn_together_share_their_passes(rows: list[dict[str, Any]]) -> None:
    """Each row has its share of the passes and of the time: added up they are what the draws took."""
    together = [row for row in rows if row["method"] == "sampling"]
    for one, other in zip(together[::2], together[1::2], strict=True):
        assert one["passes"] == other["passes"]
        # Some passes are made again where an analyser answers late; apart the draws would take one for each token.
        assert one["passes"] + other["passes"] < one["tokens"] + other["tokens"]
        assert one["decode_s"] <= one["seconds"]
