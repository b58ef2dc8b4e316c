"""How many CPU threads a forward pass takes.

In a small model a pass over few tokens is short, and its threads wait for one another hundreds of times: where an
analyser, a compiler or a browser takes a core for a moment, every pass waits for it (docs/speed.md has the times). So
narrow passes take half of the threads, and wide ones all. How wide a pass is goes by its arithmetic: in a large model
one token is enough.

torch has one number for threads that begin, and one in each that has begun. Both are left at that of a narrow pass:
what runs between passes is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

WIDE = 32  # tokens from which on a pass of any model is wide
WORK = WIDE * 11_000_000  # tokens times weights from which on it is: as many as the embedded model has
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
def taken_by(tokens: int, weights: int) -> Iterator[None]:
    """Run a pass over so many tokens, in a model of so many weights, with the threads that it takes."""
    is_wide = tokens >= WIDE or tokens * weights >= WORK
    few, wanted = narrow(), _most if is_wide else narrow()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != few:
            torch.set_num_threads(few)
