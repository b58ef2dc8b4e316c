"""Drafting by tokens: a model of the same vocabulary reads the same ids, and its distributions grow a tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.decoding.drafting.draft import Draft, Verified
from guiderail.decoding.drafting.growth import Growth, Shape, learn, new_rates
from guiderail.decoding.session import Session

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.sampling import Sampler
    from guiderail.model.model import Model


class TokenSource:
    """Drafts trees of a model's own tokens.

    Parameters
    ----------
    model
        It drafts; it has the vocabulary of the model that is drafted for.
    shape
        What a draft may look like.
    """

    def __init__(self, model: Model, shape: Shape) -> None:
        self._vocabulary = len(model.tokenizer.token_bytes)
        self._context = model.info.context_length
        self._shape = shape
        self._session = Session(model)
        self._greedy_rates, self._drawn_rates = new_rates(), new_rates()
        self._rates = self._greedy_rates  # of the last draft

    def begin(self, prompt: Sequence[int]) -> None:
        """Nothing: what is read of a text is found out with each draft."""

    @torch.inference_mode()
    def draft(
        self,
        ids: Sequence[int],
        constraints: Sequence[Constraint],
        room: int,
        sampler: Sampler,
        is_worthwhile: Callable[[float], bool],
    ) -> tuple[Draft | None, int]:
        """A draft after `ids`, and the passes of the small model that it took; see `Growth.grow`."""
        if len(ids) + self._shape.nodes > self._context:
            return None, 1
        passes = 0

        def scores(tree: TokenTree) -> torch.Tensor:
            nonlocal passes
            passes += 1
            if len(tree):
                return self._session.feed_tree(tree)[:, : self._vocabulary]
            first = self._session.fit(ids)
            assert first is not None, "nothing cancels it"
            return legal(first[: self._vocabulary], constraints)[None]

        self._rates = self._greedy_rates if sampler.sampling.greedy else self._drawn_rates
        return Growth(self._shape, scores, sampler, self._rates).grow(room, is_worthwhile), passes

    def learn(self, verified: Verified) -> None:
        """Count which of the last draft's tokens were right."""
        learn(self._rates, verified)


def legal(scores: torch.Tensor, constraints: Sequence[Constraint]) -> torch.Tensor:
    """Scores without the tokens that constraints forbid next, as far as that is known without waiting."""
    mask = full_mask(len(scores))
    for constraint in constraints:
        if not constraint.is_satisfied and not constraint.awaits(None):
            constraint.fill_mask(mask)
    allow = allowed(mask, len(scores))
    return scores.masked_fill(~allow.to(scores.device), float("-inf")) if allow.any() else scores
