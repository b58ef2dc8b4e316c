"""The event loop of all analysers, in one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")


class Loop:
    """An asyncio loop in a thread of its own, which ends with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="guiderail-analysis", daemon=True).start()

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start `work`; its result arrives in the future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)


@cache
def shared() -> Loop:
    """The loop of this process."""
    return Loop()
