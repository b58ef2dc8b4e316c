"""How many CPU threads a forward pass takes.

A pass over few tokens reads every weight for little arithmetic, and half of the cores read them about as fast as all.
All of them would besides wait for one another hundreds of times a pass: where an analyser, a compiler or a browser
takes a core for a moment, every pass would wait for it (docs/speed.md has the times). So narrow passes take half of the
threads, and wide ones all.

torch has one number for threads that begin, and one in each that has begun. Both are left at that of a narrow pass:
what runs between passes is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WIDE = 32  # tokens from which on a pass is bound by arithmetic
CORES = torch.get_num_threads()  # as torch counts them, before anybody says otherwise

_most = CORES


def allow(most: int) -> None:
    """Let passes of this process take up to so many threads; 0: as many as there are cores."""
    global _most  # noqa: PLW0603  # a process has one number, as torch has
    _most = most or CORES
    torch.set_num_threads(narrow())


def allowed() -> int:
    """The most threads that a pass takes."""
    return _most


def narrow() -> int:
    """The threads of a pass over few tokens."""
    return max(1, _most // 2)


@contextmanager
def taken_by(tokens: int) -> Iterator[None]:
    """Run a pass over so many tokens with the threads that it takes."""
    few, wanted = narrow(), _most if tokens >= WIDE else narrow()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != few:
            torch.set_num_threads(few)
