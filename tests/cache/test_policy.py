"""What following an edit costs here, and what follows from it."""

from pathlib import Path

import pytest

from guiderail.cache import policy
from guiderail.cache.policy import UNNOTICED_S, WORTHWHILE, Costs, choose, costs_of, measure
from tests.cache.shapes import model_of


def test_measured_costs_are_times() -> None:
    """Every cost is positive or nil, and more tokens never cost less."""
    costs = measure(model_of("qwen3"))
    assert min(costs.pass_s, costs.token_s, costs.pair_s) >= 0
    assert costs.move_s > 0
    assert 0 < costs.encoding(10, 500, chunk=512) <= costs.encoding(300, 500, chunk=512)


def test_costs_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time the costs are read from the user's cache folder; a damaged file is measured again."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)
    calls = []
    known = Costs(1.0, 2.0, 3.0, 4.0)
    monkeypatch.setattr(policy, "measure", lambda model: calls.append(model) or known)
    model = model_of("qwen3")
    assert costs_of(model) == costs_of(model) == known
    assert len(calls) == 1
    (file,) = (tmp_path / "costs").iterdir()
    file.write_text("{", encoding="utf-8")
    assert costs_of(model) == known
    assert len(calls) == 2


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be kept the costs are measured, and that is all."""
    (tmp_path / "costs").write_text("a file where the folder should be", encoding="utf-8")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(policy, "measure", lambda _: Costs(1.0, 2.0, 3.0, 4.0))
    assert costs_of(model_of("qwen3")).pass_s == 1.0


def test_the_thresholds_are_as_documented() -> None:
    """Patched only where exact would be noticed and the patch saves its share."""
    assert not choose(UNNOTICED_S, 0.0).patch
    assert choose(1.0, 0.99 * (1 - WORTHWHILE)).patch
    assert not choose(1.0, 1.01 * (1 - WORTHWHILE)).patch
