"""The few things that were used last."""

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from guiderail.lru import LruCache


@given(st.lists(st.integers(0, 6)), st.integers(1, 4))
def test_those_used_last_are_kept_and_the_others_let_go(used: list[int], most: int) -> None:
    """What is held are the last few different names, in their order; everything else that was made has been dropped."""
    made, dropped = list[int](), list[int]()

    def make(name: int) -> int:
        made.append(name)
        return name

    recent = LruCache[int, int](most, dropped.append)
    for name in used:
        assert recent.get(name, lambda name=name: make(name)) == name
    last = list(dict.fromkeys(reversed(used)))[:most][::-1]
    assert list(recent) == last
    assert sorted(made) == sorted(dropped + last)
    recent.clear()
    assert list(recent) == [] and sorted(made) == sorted(dropped)


def test_what_is_used_is_never_away() -> None:
    """Another thread that looks while things are used sees all of them."""
    recent = LruCache[Path, int](2)  # keys whose comparison lets other threads in
    for name in (1, 2):
        recent.get(Path(str(name)), lambda name=name: name)
    done = threading.Event()
    user = threading.Thread(
        target=lambda: (*(recent.get(Path(str(n % 2 + 1)), lambda: 0) for n in range(20_000)), done.set())
    )
    user.start()
    seen = set()
    while not done.is_set():
        seen.add(tuple(sorted(recent)))
    user.join()
    assert seen <= {(1, 2)}
