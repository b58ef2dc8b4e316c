"""How many CPU threads a forward pass takes.

A pass over few tokens reads every weight for little arithmetic, and half of the cores read them about as fast as all.
All of them would besides wait for one another hundreds of times a pass: where an analyser, a compiler or a browser
takes a core for a moment, every pass would wait for it (docs/speed.md has the times). So narrow passes take half of the
threads, and wide ones all. torch's number of threads, which it keeps for each of our threads, is left at that of a
narrow pass: what runs between passes is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

WIDE = 32  # tokens from which on a pass is bound by arithmetic


class _Number:
    """The most threads that a pass of this process takes; torch's is the process's too."""

    def __init__(self) -> None:
        self.most = torch.get_num_threads()


@cache
def _number() -> _Number:
    return _Number()


def allow(most: int) -> None:
    """Let passes take up to so many threads; 0 leaves the number as it is: at first as many as there are cores."""
    _number().most = most or _number().most
    torch.set_num_threads(narrow())


def allowed() -> int:
    """The most threads that a pass takes."""
    return _number().most


def narrow() -> int:
    """The threads of a pass over few tokens."""
    return max(1, allowed() // 2)


@contextmanager
def taken_by(tokens: int) -> Iterator[None]:
    """Run a pass over so many tokens with the threads that it takes."""
    few, wanted = narrow(), allowed() if tokens >= WIDE else narrow()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != few:
            torch.set_num_threads(few)
