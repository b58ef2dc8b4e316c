"""The cost of a forward pass over several tokens on this device, in passes over one token."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from guiderail.cache.policy import remembered, synchronize
from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session

if TYPE_CHECKING:
    from guiderail.model.model import Model

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 96)
READ = 512  # tokens before the pass
ALWAYS = 16  # tokens of a pass that is measured however long it takes
SECONDS = 2.0  # that measuring may take: the first suggestion may be waiting for it
_ROUNDS = 6  # at most; the first is for warming up


@dataclass(frozen=True, slots=True)
class PassCosts:
    """Seconds of a pass by its width; called with a width, it gives the cost in passes over one token.

    Parameters
    ----------
    widths, seconds
        What was measured, ascending; between two widths it is interpolated, after the last it goes on as before it.
    """

    widths: tuple[int, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for impossible measurements."""
        ascending = all(before < after for before, after in pairwise(self.widths))
        if len(self.widths) != len(self.seconds) or len(self.widths) < 2 or self.widths[0] < 1 or not ascending:
            raise ValueError("these are no widths")
        if not all(math.isfinite(seconds) and seconds > 0 for seconds in self.seconds):
            raise ValueError("these are no times")

    def __call__(self, width: int) -> float:
        right = min(max(bisect_left(self.widths, width), 1), len(self.widths) - 1)
        (w0, w1), (s0, s1) = self.widths[right - 1 : right + 1], self.seconds[right - 1 : right + 1]
        return (s0 + (s1 - s0) * (width - w0) / (w1 - w0)) / self.seconds[0]


def pass_costs_of(model: Model) -> PassCosts:
    """The costs of `model`'s passes on this device: read from the user's cache folder, or measured now and kept.

    Measuring takes a second or two.
    """
    return remembered(model, "passes", PassCosts, measure)


@torch.inference_mode()
def measure(model: Model) -> PassCosts:
    """Time passes of every width through a session, as decoding runs them."""
    read = min(READ, model.info.context_length - max(WIDTHS))
    session = Session(model)
    session.feed([i % model.vocab_size for i in range(read)])
    rounds = list(_rounds(session, time.perf_counter() + SECONDS))
    widths = tuple(min(rounds, key=len))
    # The first pass of each width is slower; where there was time for one round alone, it has to do.
    seconds = [min(times[width] for times in rounds[1:] or rounds) for width in widths]
    # A narrower pass never costs more than a wider one: what says so is noise, which only adds.
    return PassCosts(widths, tuple(min(seconds[i:]) for i in range(len(widths))))


def _rounds(session: Session, end: float) -> Iterator[dict[int, float]]:
    """Times of passes by ascending width, round by round, so that a busy moment does not hit one width alone.

    After `end` no round begins, and the first one leaves out the widest passes. One token and `ALWAYS` are measured
    whatever the time: narrow passes alone cost about the same, and would say that wide ones do too.
    """
    widths = WIDTHS
    for number in range(_ROUNDS):
        times: dict[int, float] = {}
        for width in widths:
            if number > 0 or width in {1, ALWAYS} or time.perf_counter() <= end:
                times[width] = _timed(session, width)
        yield times
        widths = tuple(times)
        if time.perf_counter() > end:
            return


def _timed(session: Session, width: int) -> float:
    synchronize(session.model)
    began = time.perf_counter()
    if width == 1:
        session.feed([1])
    else:
        session.feed_tree(TokenTree.chain([1] * width))
        session.keep([0])
    synchronize(session.model)
    seconds = time.perf_counter() - began
    session.rollback(1)
    return seconds
