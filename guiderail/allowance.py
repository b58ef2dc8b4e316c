"""Bounds the processor time that reading what a project brings takes in all.

Each file is small enough by itself. A repository may hold thousands, or one file under thousands of names, and name
folders in folders. Whoever reads many opens an allowance; the readers of files ask it before each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

_end: ContextVar[tuple[Allowance, float] | None] = ContextVar("end", default=None)  # in this thread's time


class Allowance:
    """Processor time of the threads that read, all uses together.

    Parameters
    ----------
    seconds
        How much it is.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @property
    def is_spent(self) -> bool:
        """Whether it is used up."""
        return self._left <= 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """What this thread reads inside is counted; a use inside one of the same allowance is a part of that."""
        current, began = _end.get(), time.thread_time()
        if current is not None and current[0] is self:
            yield
            return
        token = _end.set((self, began + self._left))
        try:
            yield
        finally:
            _end.reset(token)
            self._left -= time.thread_time() - began


def unlimited() -> AbstractContextManager[None]:
    """What is read inside is guiderail's or the person's own, and is counted nowhere."""
    return Allowance(math.inf).used()


def is_over() -> bool:
    """Whether the allowance in use, if there is one, is used up."""
    current = _end.get()
    return current is not None and time.thread_time() > current[1]
