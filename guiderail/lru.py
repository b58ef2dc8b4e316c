"""A small cache that drops the least recently used value, for values that cost memory or a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values by key, each made when it is first wanted; the least recently used one is dropped when there are too many.

    Parameters
    ----------
    most
        How many are kept; what they weigh in sum.
    drop
        Called with each value that is dropped.
    weigh
        What a value weighs.
    """

    def __init__(
        self, most: int, drop: Callable[[V], None] = lambda _: None, weigh: Callable[[V], int] = lambda _: 1
    ) -> None:
        self._most = most
        self._drop = drop
        self._weigh = weigh
        self._weight = 0
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()  # comparing two keys may let another thread in

    def __iter__(self) -> Iterator[V]:
        """The values as they are now, the least recently used first; another thread may change the cache meanwhile."""
        with self._lock:
            return iter(tuple(self._held.values()))

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made now if there is none."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            is_new = key not in self._held
            found = self._held.setdefault(key, made)  # another thread may have made one
            self._held.move_to_end(key)
            gone = list(self._surplus(self._weigh(found) if is_new else 0))
        for one in gone if found is made else [*gone, made]:
            self._drop(one)
        return found

    def _surplus(self, more: int) -> Iterator[V]:
        """Take out what is too much when a value of this weight has come."""
        self._weight += more
        while self._weight > self._most:
            value = self._held.popitem(last=False)[1]
            self._weight -= self._weigh(value)
            yield value

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            gone, self._weight = list(self._held.values()), 0
            self._held.clear()
        for one in gone:
            self._drop(one)
