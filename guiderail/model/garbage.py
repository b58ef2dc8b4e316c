"""Pauses Python's garbage collection."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_enabled_before: list[bool] = []  # one entry for each `gc_paused` in progress: whether collection was enabled at first
_lock = Lock()


@contextmanager
def gc_paused() -> Iterator[None]:
    """Collect no garbage while many small objects are made that all stay; Python would scan them again and again.

    It holds for the whole process, and any number of threads may use it. The last one restores the state found.
    """
    with _lock:
        _enabled_before.append(_enabled_before[0] if _enabled_before else gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            if _enabled_before.pop() and not _enabled_before:
                gc.enable()
