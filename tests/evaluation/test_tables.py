"""Figures against hand-computed cases, and intervals against their laws."""

from __future__ import annotations

import pytest

from guiderail.evaluation.tables import columns, differences, figures, interval, mean, paired_interval, ratio


def test_ratio_weighs_packages_by_their_size() -> None:
    assert ratio({"a": (1.0, 2.0), "b": (9.0, 10.0)}) == pytest.approx(10 / 12)
    assert ratio({}) != ratio({})  # NaN: nothing was measured


def test_the_interval_of_equal_packages_is_their_value() -> None:
    parts = dict.fromkeys("abcdef", (3.0, 4.0))
    assert interval(parts, seed=1) == pytest.approx((0.75, 0.75))


def test_the_interval_holds_the_value_and_repeats_by_seed() -> None:
    parts = {str(i): (float(i % 5), 5.0) for i in range(20)}
    low, high = interval(parts, seed=3)
    assert low < ratio(parts) < high
    assert interval(parts, seed=3) == (low, high)
    assert interval(parts, seed=4) != (low, high)


def test_pairing_takes_the_spread_of_packages_out_of_a_difference() -> None:
    base = {str(i): (float(i), 10.0) for i in range(10)}
    better = {name: (above + 1, below) for name, (above, below) in base.items()}
    assert paired_interval(better, base, seed=0) == pytest.approx((0.1, 0.1))
    with pytest.raises(ValueError, match="same packages"):
        paired_interval(better, {"other": (1.0, 1.0)}, seed=0)


def sample(package: str, kind: str, exact: bool) -> dict[str, object]:
    return {"package": package, "kind": kind, "exact": exact}


def test_a_row_has_the_figures_of_the_samples_that_count() -> None:
    """A mean is over the samples of its kind; a figure of none is None and has neither interval nor difference."""
    samples = [sample("p", "line", True), sample("q", "line", False), sample("q", "block", False)]
    samples.append({"package": "r", "kind": "line", "exact": None})  # it was not judged
    found = figures(samples, {"line": mean("exact", kind="line"), "none": mean("exact", kind="file")})
    row = columns(found, seed=0)
    assert (row["line"], row["none"], set(row["intervals"])) == (0.5, None, {"line"})
    base = figures([sample("p", "line", False), sample("q", "line", False)], {"line": mean("exact")})
    against = differences(found, base, seed=0)
    assert set(against) == {"line"}
    assert (against["line"]["difference"], against["line"]["relative"]) == (0.5, None)
    assert against["line"]["interval"] == (0.0, 1.0)


def test_differences_are_over_the_packages_that_both_have() -> None:
    own, base = {"a": (2.0, 2.0), "b": (0.0, 2.0)}, {"a": (1.0, 2.0)}
    assert differences({"x": own}, {"x": base}, seed=0)["x"] == {
        "difference": 0.5, "interval": (0.5, 0.5), "relative": 1.0
    }  # fmt: skip
