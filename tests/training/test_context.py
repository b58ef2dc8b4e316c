"""From which score on context helps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.context import cutoff


@pytest.mark.parametrize(
    ("gains", "least"),
    [
        ([(0.9, 2.0), (0.5, 1.0), (0.2, -4.0), (0.1, 1.0)], 0.5),
        ([(0.9, -1.0), (0.5, 3.0)], 0.5),
        ([(0.5, 2.0), (0.5, -1.0), (0.4, -0.5)], 0.5),
        ([(0.5, 1.0), (0.1, 1.0)], 0.1),
    ],
)
def test_what_is_left_spares_most(gains: list[tuple[float, float]], least: float) -> None:
    assert cutoff(gains) == least


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.9]), st.floats(-5, 5)), min_size=1))
def test_no_other_cutoff_spares_more(gains: list[tuple[float, float]]) -> None:
    """Nor does showing nothing."""
    spared = lambda least: sum(gain for score, gain in gains if score >= least)  # noqa: E731
    assert spared(cutoff(gains)) >= max(0.0, *(spared(score) for score, _ in gains)) - 1e-9
