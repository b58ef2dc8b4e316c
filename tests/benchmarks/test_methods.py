"""The benchmark of ways to decode: its rows and what they say."""

import pytest

from guiderail.benchmarks.methods import GREEDY, Plan, cursors, run
from guiderail.decoding.drafting.growth import SHAPES
from guiderail.settings import Settings
from tests.helpers.models import tiny_folder


def test_rows_say_what_each_way_takes() -> None:
    """Greedy decoding is its own measure and a token a pass; what cannot run here is left out by name."""
    skipped: dict[str, str] = {}
    settings = Settings(model=str(tiny_folder("starcoder2")), device="cpu", dtype="float32", threads=1)
    plan = Plan(cursors=2, tokens=6, rounds=1, only=("beam", "suffix", "adadec", "asap"))
    rows = {row["method"]: row for row in run(settings, plan, skipped.__setitem__)}
    assert rows[GREEDY]["ratio_to_greedy"] == 1
    assert rows[GREEDY]["accepted_per_pass"] == pytest.approx(1)
    assert rows["suffix"]["accepted_per_pass"] >= 1
    assert {"beam", "suffix", "auto drafter"} <= set(rows)
    assert "grammar" in skipped["asap"]
    assert "calibrate" in skipped["adadec"]
    for row in rows.values():
        assert row["tokens_per_s"] > 0 and row["device"] == "cpu"


def test_a_draft_model_is_measured_in_every_shape() -> None:
    """Greedy and drawn, and beside the default drafters; loaded before it is measured, so that it does draft."""
    folder = str(tiny_folder("starcoder2"))
    settings = Settings(model=folder, draft_model=folder, device="cpu", dtype="float32", threads=1)
    rows = {row["method"]: row for row in run(settings, Plan(cursors=1, tokens=8, rounds=1, only=("suffix",)), print)}
    for shape in SHAPES:
        assert rows[f"draft-model {shape}"]["kind"] == "drafter"
        assert rows[f"draft-model {shape}"]["accepted_per_pass"] >= 1
        assert f"draft-model {shape}, sampled" in rows
    assert rows["auto drafter + draft-model"]["same_text"] == rows["suffix"]["same_text"] == 1
    assert rows["sampled"]["same_text"] is None


def test_cursors_stand_inside_functions() -> None:
    for document, offset in cursors(7):
        line, _ = document.position_at(offset)
        assert document.text[document.line_start(line) : offset] == " " * 8
