"""What a drafter that takes time to draft may promise: the tokens that its drafts brought for the time they took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STEP = 0.2  # passes of the model that is drafted for that a token takes to draft, before that is measured
PRIOR = 1.5  # tokens in the time of one pass that are promised before anything is known
RECENT = 0.1  # weight of the last observation in a running mean
CURIOUS = 0.02  # how fast a promise recovers while nothing is asked


class Promise:
    """The running record of one drafter's costs and gains.

    Parameters
    ----------
    pass_cost
        The cost of a pass of the model that is drafted for, in passes over one token.
    pass_seconds
        The time of a pass over one token.

    Attributes
    ----------
    tokens
        Tokens that a draft brings in the time of one pass, the time of drafting included.
    """

    def __init__(self, pass_cost: Callable[[int], float], pass_seconds: float) -> None:
        self.tokens = PRIOR
        self._pass_cost = pass_cost
        self._pass_seconds = pass_seconds
        self._step = STEP
        self._spent = 0.0  # passes that the last draft took

    def price(self, nodes: int = 0) -> float:
        """Passes that one more drafted token costs: to draft, and to run it in a pass over up to `nodes` more tokens.

        Without `nodes` a wider pass is taken to cost nothing: what is run is decided later.
        """
        return self._step + ((self._pass_cost(nodes + 1) - 1) / nodes if nodes else 0.0)

    @contextmanager
    def timed(self) -> Iterator[list[int]]:
        """Take the time of one draft; the passes that it took are put into the list."""
        began, passes = time.perf_counter(), [1]
        yield passes
        self._spent = (time.perf_counter() - began) / self._pass_seconds
        self._step += RECENT * (self._spent / passes[0] - self._step)

    def kept(self, tokens: int, width: int) -> None:
        """A pass of this width over a draft has yielded so many tokens."""
        gain = tokens / (self._pass_cost(width) + self._spent)
        self.tokens += RECENT * (gain - self.tokens)

    def rest(self) -> None:
        """Nothing was drafted: what was bad once may be good later."""
        self.tokens += CURIOUS * (PRIOR - self.tokens)
