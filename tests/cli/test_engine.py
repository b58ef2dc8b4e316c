"""Laws of the engine as the command line uses it."""

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.cli.engine import Cursor, Engine
from guiderail.decoding.drafting import pass_cost
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.errors import GuiderailError
from guiderail.settings import Settings
from guiderail.text.document import Document
from guiderail.text.source import read_source


def test_what_drafting_costs_is_no_part_of_the_first_answer(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured while the model is loaded: the time to the first token is that of a completion."""
    engine = Engine(Settings(model=str(tiny_model), device="cpu", threads=1, monitors=False, max_tokens=2))
    monkeypatch.setattr(pass_cost, "measure", lambda model: pytest.fail("measured while somebody waits"))
    assert engine.answer(Cursor(Document("def f(x):\n    ret"), 17)).suggestions


def test_a_start_that_fails_leaves_no_analyser(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    """What was started ahead is stopped when the model cannot be loaded."""
    events: list[str] = []

    class Pool:
        def __init__(self, wanted: str, trust: str) -> None: ...

        def get(self, language: str, folder: Path) -> None:
            events.append("started")

        def stop(self) -> None:
            events.append("stopped")

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    with pytest.raises(GuiderailError):
        Engine(Settings(model="no such folder"), ahead=Cursor(read_source(source), 0))
    assert events == ["started", "stopped"]


def test_a_model_that_is_not_calibrated_is_refused_before_it_is_loaded(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdaDec needs a threshold; with one that is given nothing is asked for."""
    settings = Settings(model=str(tiny_model), device="cpu", threads=1, monitors=False, max_tokens=2, method="adadec")
    with monkeypatch.context() as patched:
        patched.setattr("guiderail.model.load.configuration", lambda info: pytest.fail("loading began"))
        with pytest.raises(NotCalibratedError):
            Engine(settings)
    engine = Engine(replace(settings, parameters="adadec.threshold=1"))
    assert engine.answer(Cursor(Document("def f(x):\n    ret"), 17)).suggestions
