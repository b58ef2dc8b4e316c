"""Gives memory back when a long document is closed: what was kept of its text for the next question, and to the system.

What modules keep of the last few texts is small for ordinary files, and is bounded by their number. Of a file of
10 MB it is a gigabyte: the syntax tree alone takes ten times the text.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterable
from typing import Any

LONG = 1_000_000  # characters of a text that is worth it


def is_long(texts: Iterable[str]) -> bool:
    """Whether one of some texts is long."""
    return any(len(text) >= LONG for text in texts)


def give_back() -> None:
    """Forget all texts; those that are still wanted are read again. Takes a tenth of a second: for the worker."""
    for kept in _kept():
        kept.cache_clear()
    gc.collect()
    trim()


def _kept() -> tuple[Any, ...]:
    """The functions that keep texts, or what was made of them."""
    from guiderail.monitors.lex_cache import lex_cache
    from guiderail.monitors.lex_state import unmatched_closers
    from guiderail.monitors.verdict import _syntax_errors
    from guiderail.text.syntax import parsed

    return unmatched_closers, lex_cache, _syntax_errors, parsed


def trim() -> None:
    """Have the C library return free memory to the system; it keeps what lies between two pieces that are in use."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if function is not None:
            function(0)
