"""Metrics against hand-computed cases, and intervals against their laws."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.evaluation.metrics import (
    edit_similarity,
    exact_match,
    interval,
    levenshtein,
    paired_interval,
    ratio,
    score_at,
    truncate,
)

words = st.text("abc ", max_size=7)


def recursive_distance(a: str, b: str) -> int:
    """Levenshtein's distance by its definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(a), len(b))


@given(words, words)
def test_levenshtein_equals_its_definition(a: str, b: str) -> None:
    assert levenshtein(a, b) == recursive_distance(a, b)


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("return x", "return x", 1.0),
        ("return x  \nmore", "return x", 1.0),
        ("", "", 1.0),
        ("", "abcd", 0.0),
        ("kitten", "sitting", 1 - 3 / 7),
        ("abc", "abcdef", 0.5),
    ],
)
def test_edit_similarity_of_hand_computed_cases(answer: str, truth: str, expected: float) -> None:
    assert edit_similarity(answer, truth) == pytest.approx(expected)


def test_exact_match_sees_one_line_without_trailing_spaces() -> None:
    assert exact_match("x = 1 \ny = 2", "x = 1")
    assert not exact_match(" x = 1", "x = 1")
    assert not exact_match("x = 10", "x = 1")
    assert truncate("a \t\nb") == "a"


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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.data())
def test_score_at_k_is_the_mean_best_of_k(values: list[float], data: st.DataObject) -> None:
    """The published formula equals the mean over every way to choose k values, of the best of them."""
    k = data.draw(st.integers(1, len(values)))
    assert score_at(k, values) == pytest.approx(fmean(max(chosen) for chosen in combinations(values, k)))


def test_score_at_k_needs_k_values() -> None:
    with pytest.raises(ValueError, match="score@3 of 2"):
        score_at(3, [0.0, 1.0])
