"""Moving constraints between several continuations of one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.diff import common_prefix
from guiderail.decoding.constraints.choice import admitted
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.method import scored

if TYPE_CHECKING:
    from guiderail.decoding.method import DecodeRequest


class ConstraintWalker:
    """Moves constraints from continuation to continuation, and scores a step there as decoding would.

    Parameters
    ----------
    ids
        The sequence after which the continuations begin; it is copied.
    request
        Its stages change the scores.
    constraints
        They have accepted what was decoded so far, and nothing of a continuation.
    """

    def __init__(self, ids: Sequence[int], request: DecodeRequest, constraints: Sequence[Constraint]) -> None:
        self._ids = list(ids)
        self._request = request
        self._constraints = constraints
        self._decoded = 0
        self._at: list[int] = []

    def logprobs(self, raw: torch.Tensor, path: Sequence[int], count: int) -> torch.Tensor:
        """Log-probabilities after a continuation, under stages and constraints, float32 [vocabulary].

        Parameters
        ----------
        raw
            The model's scores there, float32 [at least the vocabulary].
        path
            The continuation.
        count
            How many of the likeliest tokens may be taken: those are admitted by all constraints.
        """
        self.move(path)
        raw = raw[: len(self._request.token_bytes)]
        while True:
            scores = scored(raw, self._ids + list(path), self._decoded + len(path), self._request, self._constraints)
            best = scores.topk(min(count, len(scores)))
            likely = best.indices[best.values > -torch.inf].tolist()
            if all(admitted(self._constraints, token) for token in likely):
                return scores.log_softmax(-1)

    def move(self, path: Sequence[int]) -> None:
        """Move the constraints so that they have accepted exactly a continuation."""
        same = common_prefix(self._at, path)
        for constraint in self._constraints:
            constraint.rollback(len(self._at) - same)
            for token in path[same:]:
                constraint.accept(token)
        self._at = list(path)

    def commit(self, token: int) -> None:
        """Take a token as decoded: continuations begin after it from now on."""
        self.move([token])
        self._at = []
        self._ids.append(token)
        self._decoded += 1
