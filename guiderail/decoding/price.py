"""What a forward pass over several tokens costs on this device, measured in passes over one."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from guiderail.cache.policy import remembered
from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session

if TYPE_CHECKING:
    from guiderail.model.model import Model

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 96)
READ = 512  # tokens in front of the pass
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Prices:
    """Seconds of a pass by its width; called with a width, it says how many passes over one token that is.

    Parameters
    ----------
    widths, seconds
        What was measured, ascending; between two widths it is interpolated, behind the last it goes on as before it.
    """

    widths: tuple[int, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for what cannot have been measured."""
        ascending = all(before < after for before, after in pairwise(self.widths))
        if len(self.widths) != len(self.seconds) or len(self.widths) < 2 or self.widths[0] < 1 or not ascending:
            raise ValueError("these are no widths")
        if not all(math.isfinite(seconds) and seconds > 0 for seconds in self.seconds):
            raise ValueError("these are no times")

    def __call__(self, width: int) -> float:
        right = min(max(bisect_left(self.widths, width), 1), len(self.widths) - 1)
        (w0, w1), (s0, s1) = self.widths[right - 1 : right + 1], self.seconds[right - 1 : right + 1]
        return (s0 + (s1 - s0) * (width - w0) / (w1 - w0)) / self.seconds[0]


def prices_of(model: Model) -> Prices:
    """The prices of `model` here: read from the user's cache folder, or measured now (a second or two) and kept."""
    return remembered(model, "passes", Prices, measure)


@torch.inference_mode()
def measure(model: Model) -> Prices:
    """Time passes of every width through a session, as decoding runs them."""
    read = min(READ, model.info.context_length - max(WIDTHS))
    session = Session(model)
    session.feed([i % model.vocab_size for i in range(read)])
    # Round by round, so that a busy moment does not hit one width alone; the first round is for warming up.
    rounds = [[_timed(session, width) for width in WIDTHS] for _ in range(_ROUNDS + 1)][1:]
    seconds = [min(times) for times in zip(*rounds, strict=True)]
    # A narrower pass never costs more than a wider one: what says so is noise, which only adds.
    return Prices(WIDTHS, tuple(min(seconds[i:]) for i in range(len(WIDTHS))))


def _timed(session: Session, width: int) -> float:
    _wait(session.model)
    began = time.perf_counter()
    if width == 1:
        session.feed([1])
    else:
        session.feed_tree(TokenTree.chain([1] * width))
        session.keep([0])
    _wait(session.model)
    seconds = time.perf_counter() - began
    session.rollback(1)
    return seconds


def _wait(model: Model) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
