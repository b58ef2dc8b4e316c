"""How far an analyser is to be trusted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.monitor import KNOWN
from guiderail.monitors.trust import FORBID, HEED, SURE, Situation, Trust, lower_bound, shipped, trust

PLACE = ("python", "dereference", "told")


@pytest.mark.parametrize(
    ("situation", "soft", "counted", "expected"),
    [
        (KNOWN, False, None, Trust(-math.inf)),
        (KNOWN, False, (999, 1000), Trust(-math.inf)),
        (KNOWN, False, (10, 100), Trust(0.0, "mostly wrong here")),
        (KNOWN, False, (1, 10), Trust(-math.inf)),
        ("dynamic", False, None, Trust(0.0, "dynamic")),
        ("dynamic", False, (50, 100), Trust(0.0, "dynamic")),
    ],
)
def test_what_is_forbidden_and_what_is_not_heeded(
    situation: str, soft: bool, counted: tuple[int, int] | None, expected: Trust
) -> None:
    """Unmeasured answers forbid if nothing speaks against them; measured ones if they are nearly always right."""
    table: dict[Situation, tuple[int, int]] = {} if counted is None else {(*PLACE, situation): counted}
    assert trust((*PLACE, situation), soft=soft, table=table) == expected


@pytest.mark.parametrize(("situation", "soft"), [(KNOWN, True), ("dynamic", False), ("dynamic", True)])
def test_nothing_is_forbidden_where_something_speaks_against_it(situation: str, soft: bool) -> None:
    """A soft monitor, or an answer with a doubt, lowers scores at most, however often it was right."""
    found = trust((*PLACE, situation), soft=soft, table={(*PLACE, situation): (1000, 1000)})
    assert found.is_soft
    assert found.bias < -3


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_lower_bound_is_below_the_share_and_grows_with_it(counted: tuple[int, int]) -> None:
    """Wilson's bound lies in [0, share], and one more right answer raises it."""
    right, of = counted
    assert -1e-9 <= lower_bound(right, of) <= right / of + 1e-9
    assert right == of or lower_bound(right, of) < lower_bound(right + 1, of)


def test_the_bound_is_wilsons() -> None:
    """90 of 100: the interval in textbooks begins at 0.8256."""
    assert lower_bound(90, 100) == pytest.approx(0.8256, abs=1e-4)


def test_the_shipped_table_can_be_read() -> None:
    """Every count is possible, and the thresholds are ordered."""
    assert all(0 <= right <= of for right, of in shipped().values())
    assert HEED < SURE < FORBID < 1
