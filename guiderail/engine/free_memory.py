"""Frees memory when a long document is closed: empties caches of texts, and returns memory to the system.

The caches hold the last few texts and what was parsed from them. For ordinary files that is small; for a file of 10 MB
it is a gigabyte, as the syntax tree alone takes ten times the text.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

SETTLED_S = 1.0  # after an analyser's end, until nothing of it runs any more
LONG = 1_000_000  # characters of a text that is worth it


def is_long(texts: Iterable[str]) -> bool:
    """Whether one of the texts is long."""
    return any(len(text) >= LONG for text in texts)


def release_memory() -> None:
    """Empty the caches of texts. Takes a tenth of a second, so only the worker's thread should do it."""
    for cached in _caches():
        cached.cache_clear()
    gc.collect()
    trim()


def release_memory_after(wait: Callable[[], None]) -> None:
    """Empty them once more when the analysers have ended, and a moment later their tasks, which hold texts too."""

    def later() -> None:
        wait()
        time.sleep(SETTLED_S)
        release_memory()

    threading.Thread(target=later, name="guiderail-give-back", daemon=True).start()


def _caches() -> tuple[Any, ...]:
    """The cached functions whose arguments or results hold texts."""
    from guiderail.monitors.lex_cache import lex_cache
    from guiderail.monitors.lex_state import unmatched_closers
    from guiderail.monitors.verdict import _syntax_errors
    from guiderail.text.syntax import parsed

    return unmatched_closers, lex_cache, _syntax_errors, parsed


def trim() -> None:
    """Return the C library's free memory to the system."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if function is not None:
            function(0)
