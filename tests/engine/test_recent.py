"""The few things that were used last."""

from hypothesis import given
from hypothesis import strategies as st

from guiderail.engine.recent import Recent


@given(st.lists(st.integers(0, 6)), st.integers(1, 4))
def test_those_used_last_are_kept_and_the_others_let_go(used: list[int], most: int) -> None:
    """What is held are the last few different names, in their order; everything else that was made has been dropped."""
    made, dropped = list[int](), list[int]()

    def make(name: int) -> int:
        made.append(name)
        return name

    recent = Recent[int, int](most, dropped.append)
    for name in used:
        assert recent.get(name, lambda name=name: make(name)) == name
    last = list(dict.fromkeys(reversed(used)))[:most][::-1]
    assert list(recent) == last
    assert sorted(made) == sorted(dropped + last)
    recent.clear()
    assert list(recent) == [] and sorted(made) == sorted(dropped)
