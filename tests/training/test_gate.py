"""What is learned of suggestions from replayed code."""

import json
import math
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from guiderail.engine.likelihood import Likelihood
from training.gate import calibration_error, fitted, main


def examples(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Facts of which one decides, with odds of 2 a unit, and one does not."""
    rng, found = random.Random(seed), []
    for number in range(count):
        facts = {"total": rng.uniform(-2, 2), "noise": rng.uniform(0, 100)}
        right = rng.random() < 1 / (1 + math.exp(-2 * facts["total"]))
        found.append({"package": str(number % 7), "facts": facts, "right": right, "weight": 1.0})
    return found


def test_weights_are_those_that_made_the_examples() -> None:
    """Whatever the scale of a fact, and where one has no fact it counts as none of it."""
    model = fitted(examples(4000))
    assert model.weights["total"] == pytest.approx(2, abs=0.25)
    assert model.weights["noise"] == pytest.approx(0, abs=0.01)
    assert model({"total": 3.0}) > 0.95 and model({"total": -3.0}) < 0.05


def test_the_calibration_error_is_how_far_probabilities_are_off() -> None:
    found = examples(4000, 1)
    assert calibration_error(fitted(examples(4000)), found) < 0.04
    assert calibration_error(Likelihood(0.0, {"total": 8.0}), found) > 0.08
    assert calibration_error(Likelihood(9.0, {}), [{"facts": {}, "right": False, "weight": 1.0}]) > 0.99


def test_a_table_says_where_it_comes_from_and_how_well_it_holds(tmp_path: Path) -> None:
    own, others, out = tmp_path / "own.jsonl", tmp_path / "others.jsonl", tmp_path / "table.json"
    for file, seed in ((own, 0), (others, 1)):
        file.write_text("".join(json.dumps(one) + "\n" for one in examples(500, seed)))
    words = ["fit", str(own), "--check", str(others), "--out", str(out), "--about", "made up"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    table = json.loads(out.read_text())
    assert (table["about"], table["examples"], table["packages"]) == ("made up", 500, 7)
    assert 0 < table["calibration_error"] < 0.1 and set(table["weights"]) == {"total", "noise"}
