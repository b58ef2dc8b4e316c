"""Deferred choices: tokens chosen before an answer on which they depend, and checked once it arrives.

What is legal after a dot is known some milliseconds after the dot. Most of what a model writes is legal, so decoding
goes on without the answer. When it has come, each choice is made once more from the scores that were kept, with the
same random numbers: the tokens are the same as if every answer had been waited for. Where a choice turns out another
one, decoding goes back to it; nothing is lost but the time, which waiting would have taken too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraints.choice import admitted, apply, choose
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.sampling import Sampler

if TYPE_CHECKING:
    from guiderail.decoding.partial_text import PartialText

MOST = 16  # choices without an answer; then it is waited for


@dataclass(slots=True)
class Step:
    """One choice, with everything needed to repeat it.

    Parameters
    ----------
    position
        Of the token in the sequence.
    before
        The text before the token.
    raw, scores
        The model's scores, and those after the stages; float32 [vocabulary].
    sampler
        Makes what chooses a token of such scores; each serves once.

    Attributes
    ----------
    token, after
        The token chosen, and the text with it.
    rng_state
        The state of the random numbers before the choice; None where none are drawn.
    """

    position: int
    before: PartialText
    raw: torch.Tensor
    scores: torch.Tensor
    sampler: Callable[[], Callable[[torch.Tensor], int]]
    token: int = field(default=-1, init=False)
    after: PartialText = field(init=False)
    rng_state: torch.Tensor | None = field(default=None, init=False)

    def take(self, token: int) -> None:
        """Set the token."""
        self.token = token
        self.after = self.before.add(token)


class DeferredChoice:
    """The choices of one text, those that are not certain yet among them.

    Parameters
    ----------
    sampler
        How a token is chosen.
    constraints
        At each step they say whether they have answers to wait for.
    """

    def __init__(self, sampler: Sampler, constraints: Sequence[Constraint]) -> None:
        self._chooser = sampler
        self._constraints = constraints
        self._open: list[Step] = []
        self._certain: list[Step] = []

    @property
    def first_open(self) -> Step | None:
        """The first step that is not certain; None if all are."""
        return self._open[0] if self._open else None

    def choose(self, step: Step) -> None:
        """Choose the token of a step, as far as is known without waiting; the constraints accept it."""
        step.rng_state = self._rng_state()
        token, is_certain = self._chosen(step)
        step.take(token)
        self._accept([step])
        (self._certain if is_certain and not self._open else self._open).append(step)

    def _chosen(self, step: Step) -> tuple[int, bool]:
        """A token, and whether no answer to come can change it."""
        sampler = step.sampler()
        unknown = [c for c in self._constraints if c.awaits(None)]
        known = [c for c in self._constraints if c not in unknown]
        while True:
            token = sampler(apply(known, step.scores))
            if unknown or any(c.awaits(token) for c in known):
                return token, False
            if admitted(known, token):
                return token, True

    def taken(self) -> list[Step]:
        """The steps that have become certain since this was asked last."""
        taken, self._certain = self._certain, []
        return taken

    def check(self, *, wait: bool) -> Step | None:
        """Repeat the choices whose answers have arrived, in order; the first step whose token changed, if any.

        That step is certain then, the constraints have accepted its token, and the steps after it are forgotten.
        """
        wait = wait or len(self._open) >= MOST
        while self._open:
            for constraint in self._constraints:
                constraint.rollback(len(self._open))
            step = self._open[0]
            if not wait and self._awaits(step.token):
                self._accept(self._open)
                return None
            if self._changes(step):
                self._open.clear()
                return step
            self._accept(self._open)
        return None

    def _changes(self, step: Step) -> bool:
        """Repeat a step's choice and accept it; whether the steps after it become invalid."""
        latest = self._rng_state()
        self._restore(step.rng_state)
        token = choose(self._constraints, step.scores, step.sampler())
        del self._open[0]
        following = self._open[0].rng_state if self._open else latest
        same = token == step.token and _equal(self._rng_state(), following)
        step.take(token)
        self._certain.append(step)
        self._accept([step])
        if same:
            self._restore(latest)
        return not same

    def _awaits(self, token: int) -> bool:
        return any(c.awaits(None) or c.awaits(token) for c in self._constraints)

    def _accept(self, steps: Sequence[Step]) -> None:
        for constraint in self._constraints:
            for step in steps:
                constraint.accept(step.token)

    def _rng_state(self) -> torch.Tensor | None:
        return None if self._chooser.sampling.greedy else self._chooser.generator.get_state()

    def _restore(self, state: torch.Tensor | None) -> None:
        if state is not None:
            self._chooser.generator.set_state(state)


def _equal(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    return a is b is None or (a is not None and b is not None and torch.equal(a, b))
