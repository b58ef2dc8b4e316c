"""The few things that were used last, of which each costs memory or a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Things by name, each made when it is first wanted; the one unused for longest goes when there are too many.

    Parameters
    ----------
    most
        How many are kept.
    drop
        Told of each that goes.
    """

    def __init__(self, most: int, drop: Callable[[V], None] = lambda _: None) -> None:
        self._most = most
        self._drop = drop
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()  # comparing two keys may let another thread in

    def __iter__(self) -> Iterator[V]:
        """The things as they are now, the one unused for longest first; another thread may use them meanwhile."""
        with self._lock:
            return iter(tuple(self._held.values()))

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The thing of this name."""
        if key not in self._held:
            made = make()
            with self._lock:
                self._held[key] = made
        with self._lock:
            self._held.move_to_end(key)
            found = self._held[key]
            gone = [self._held.popitem(last=False)[1] for _ in range(len(self._held) - self._most)]
        for one in gone:
            self._drop(one)
        return found

    def clear(self) -> None:
        """Let all of them go."""
        with self._lock:
            gone = list(self._held.values())
            self._held.clear()
        for one in gone:
            self._drop(one)
