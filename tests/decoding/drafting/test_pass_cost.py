"""What a wide pass costs: measured once, interpolated, never falling."""

from pathlib import Path

import pytest

from guiderail.decoding.drafting import pass_cost
from guiderail.decoding.drafting.pass_cost import PassCosts, measure, pass_costs_of
from tests.helpers.models import tiny_model


def test_between_two_widths_it_is_interpolated() -> None:
    prices = PassCosts((1, 2, 4), (2.0, 3.0, 5.0))
    assert [prices(width) for width in (1, 2, 3, 4, 6)] == [1.0, 1.5, 2.0, 2.5, 3.5]


def test_a_measurement_never_falls_with_the_width() -> None:
    measured = measure(tiny_model("qwen3"))
    assert list(measured.seconds) == sorted(measured.seconds)
    assert measured(1) == 1.0


def test_it_is_measured_once_for_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    first = pass_costs_of(tiny_model("qwen3"))
    monkeypatch.setattr(pass_cost, "measure", lambda model: pytest.fail("measured again"))
    assert pass_costs_of(tiny_model("qwen3")) == first


def test_a_slow_model_is_measured_shortly_and_yet_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the time is over at once, one token and a wide pass are measured, once each."""
    monkeypatch.setattr(pass_cost, "SECONDS", -1.0)
    widths: list[int] = []
    monkeypatch.setattr(pass_cost, "_timed", lambda _, width: widths.append(width) or float(width))
    assert measure(tiny_model("qwen3")) == PassCosts((1, pass_cost.ALWAYS), (1.0, float(pass_cost.ALWAYS)))
    assert widths == [1, pass_cost.ALWAYS]
