"""Writing on while an answer is on its way.

What is legal after a dot is known some milliseconds after the dot. Most of what a model writes is legal, so decoding
goes on without the answer, and when it has come each step is chosen once more from the scores that were kept, with the
same random numbers: what is decoded is the same as if every answer had been waited for. Where a choice turns out
another one, decoding goes back to it; the time was lost in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.decoding.constraint import Awaiting, Constraint, admitted, apply, choose, offers
from guiderail.decoding.sampling import Chooser

if TYPE_CHECKING:
    from guiderail.decoding.writing import Writing

MOST = 16  # steps without an answer; then it is waited for


@dataclass(slots=True)
class Step:
    """One choice, and all that it takes to make it again.

    Parameters
    ----------
    place
        Of the token in the sequence.
    before, after
        The text before the token and after it.
    raw, scores
        The model's scores, and those after the stages; float32 [vocabulary].
    chooser
        Chooses the token of such scores again.
    drawn
        The random numbers' state before the choice; None where none are drawn.
    """

    place: int
    token: int
    before: Writing
    after: Writing
    raw: torch.Tensor
    scores: torch.Tensor
    chooser: Callable[[torch.Tensor], int]
    drawn: torch.Tensor | None


class Ahead:
    """The steps of one text of which it is not known yet whether they stand.

    Parameters
    ----------
    chooser
        How a token is chosen.
    constraints
        Which of them have answers to wait for is seen at each step.
    """

    def __init__(self, chooser: Chooser, constraints: Sequence[Constraint]) -> None:
        self._chooser = chooser
        self._constraints = constraints
        self._open: list[Step] = []
        self._certain: list[Step] = []

    @property
    def is_certain(self) -> bool:
        """Whether all steps stand."""
        return not self._open

    @property
    def first(self) -> Step:
        """The first step that is not certain."""
        return self._open[0]

    def choose(self, scores: torch.Tensor, chooser: Callable[[torch.Tensor], int]) -> tuple[int, bool]:
        """A token, as far as is known without waiting, and whether it stands; the constraints accept it."""
        token, stands = self._chosen(scores, chooser)
        for constraint in self._constraints:
            constraint.accept(token)
        return token, stands

    def _chosen(self, scores: torch.Tensor, chooser: Callable[[torch.Tensor], int]) -> tuple[int, bool]:
        unknown = [c for c in self._constraints if offers(c, Awaiting) and c.awaits(None)]
        known = [c for c in self._constraints if c not in unknown]
        while True:
            token = chooser(apply(known, scores))
            if unknown or any(offers(c, Awaiting) and c.awaits(token) for c in known):
                return token, False
            if admitted(known, token):
                return token, True

    def add(self, step: Step, *, stands: bool) -> None:
        """Keep a step, whose token the constraints have accepted."""
        (self._certain if stands and self.is_certain else self._open).append(step)

    def taken(self) -> list[Step]:
        """The steps that have become certain since this was asked last."""
        taken, self._certain = self._certain, []
        return taken

    def state(self) -> torch.Tensor | None:
        """The random numbers' state; None where none are drawn."""
        return None if self._chooser.sampling.greedy else self._chooser.generator.get_state()

    def check(self, *, wait: bool) -> Step | None:
        """Choose again where answers have come, in order; the first step whose token is now another one, if any.

        That step stands then, the constraints have accepted its token, and what was after it is forgotten.
        """
        wait = wait or len(self._open) >= MOST
        while self._open:
            for constraint in self._constraints:
                constraint.rollback(len(self._open))
            step = self._open[0]
            if not wait and self._awaits(step.token):
                self._accept(self._open)
                return None
            if self._is_another(step):
                self._open.clear()
                return step
            self._accept(self._open)
        return None

    def _is_another(self, step: Step) -> bool:
        """Make a step's choice again and accept it; whether what was written after it falls with it."""
        latest = self.state()
        self._restore(step.drawn)
        token = choose(self._constraints, step.scores, step.chooser)
        del self._open[0]
        following = self._open[0].drawn if self._open else latest
        same = token == step.token and _equal(self.state(), following)
        step.token = token
        self._certain.append(step)
        self._accept([step])
        if same:
            self._restore(latest)
        return not same

    def _awaits(self, token: int) -> bool:
        return any(offers(c, Awaiting) and (c.awaits(None) or c.awaits(token)) for c in self._constraints)

    def _accept(self, steps: Sequence[Step]) -> None:
        for constraint in self._constraints:
            for step in steps:
                constraint.accept(step.token)

    def _restore(self, state: torch.Tensor | None) -> None:
        if state is not None:
            self._chooser.generator.set_state(state)


def _equal(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    return a is b is None or (a is not None and b is not None and torch.equal(a, b))
