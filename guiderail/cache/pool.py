"""The caches of several files, of which one is in use at a time.

The others are parked: packed beside the model while there is room, then in the CPU's memory, then dropped, the least
recently used first. A file that is opened for the first time begins with what it shares with another, such as the
context that both take from their repository; only exact tokens are handed over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from guiderail.cache.diff import common_prefix

if TYPE_CHECKING:
    from guiderail.cache.live import LiveCache
    from guiderail.cache.parked import Parked


class CachePool:
    """One live cache that several files use in turn; the others' contents are parked.

    Parameters
    ----------
    cache
        The cache in use; whoever runs the model reads and writes this one.
    device_bytes
        Memory of the model's device for parked keys and values; what is more goes to the CPU.
    host_bytes
        Memory of the CPU for them; what is more is dropped. A model on the CPU has only this one.
    """

    def __init__(self, cache: LiveCache, *, device_bytes: int = 0, host_bytes: int = 0) -> None:
        self.cache = cache
        self.device_bytes = 0 if cache.model.device.type == "cpu" else device_bytes
        self.host_bytes = host_bytes
        self._key: Hashable = None
        self._on_device: OrderedDict[Hashable, Parked] = OrderedDict()  # the least recently used first
        self._on_host: OrderedDict[Hashable, Parked] = OrderedDict()

    @property
    def keys(self) -> list[Hashable]:
        """The files that are parked, the least recently used first."""
        return [*self._on_host, *self._on_device]

    @property
    def nbytes(self) -> int:
        """Bytes of what is parked."""
        return sum(parked.nbytes for parked in (*self._on_device.values(), *self._on_host.values()))

    def open(self, key: Hashable, ids: Sequence[int]) -> None:
        """Make the cache the best beginning for `ids`, the prompt of the file `key`; `fit` does the rest."""
        if key == self._key or not self.device_bytes + self.host_bytes:
            return
        own = self._taken(key)
        self._park()
        self._key = key
        if own is not None:
            self.cache.unpark(own)
        else:
            self._share(ids)
        self._make_room()

    def forget(self, key: Hashable) -> None:
        """Drop what is kept of a file."""
        self._taken(key)
        if key == self._key:
            self._key = None

    def _taken(self, key: Hashable) -> Parked | None:
        return self._on_device.pop(key, None) or self._on_host.pop(key, None)

    def _park(self) -> None:
        if self._key is not None and self.cache.length:
            self._on_device[self._key] = self.cache.park()

    def _share(self, ids: Sequence[int]) -> None:
        """Keep what the new file shares with the cache in use, or take it from a parked one that shares more."""
        shared = min(common_prefix(self.cache.ids, ids), self.cache.exact_upto)
        best = None
        for parked in (*self._on_device.values(), *self._on_host.values()):
            length = min(common_prefix(parked.ledger.ids, ids), parked.ledger.exact_upto)
            if length > shared:
                shared, best = length, parked
        if best is not None:
            self.cache.unpark(best, shared)
        else:
            self.cache.rollback(self.cache.length - shared)

    def _make_room(self) -> None:
        """Evict the least recently used ones."""
        while sum(parked.nbytes for parked in self._on_device.values()) > self.device_bytes:
            key, parked = self._on_device.popitem(last=False)
            parked.to("cpu")
            self._on_host[key] = parked
        while sum(parked.nbytes for parked in self._on_host.values()) > self.host_bytes:
            self._on_host.popitem(last=False)
