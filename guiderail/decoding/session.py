"""A session: one model with one sequence of tokens; feed tokens, get logits, go back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.buffers import KeyValueBuffers
from guiderail.cache.live import LiveCache
from guiderail.cache.plan import CHUNK
from guiderail.cache.tree import TokenTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from guiderail.cache.policy import Policy
    from guiderail.cache.report import FitReport
    from guiderail.model.model import Model

__all__ = ["CHUNK", "Session"]


class Session:
    """A sequence of tokens with its keys and values.

    Parameters
    ----------
    model
        The model to run.
    policy
        How the cache follows an edited prompt (see `LiveCache`); by default nothing inexact is ever used.

    Attributes
    ----------
    passes
        Forward passes for `feed` and `feed_tree` so far, however wide each was; those of a part of the layers are none.
    """

    def __init__(self, model: Model, *, policy: Policy = "exact") -> None:
        self.model = model
        self.cache = LiveCache(model, policy=policy)
        self.report: FitReport | None = None  # of the last `fit`
        self.passes = 0

    @property
    def buffers(self) -> KeyValueBuffers:
        """The keys and values."""
        return self.cache.buffers

    @property
    def ids(self) -> list[int]:
        """The sequence."""
        return self.cache.ids

    @property
    def length(self) -> int:
        """Tokens in the sequence."""
        return self.cache.length

    @property
    def reused(self) -> int:
        """Tokens that the last `fit` kept."""
        return self.report.kept if self.report else 0

    def rollback(self, tokens: int) -> None:
        """Forget the last `tokens` tokens."""
        self.cache.rollback(tokens)

    def fit(self, ids: Sequence[int], *, cancelled: Callable[[], bool] = lambda: False) -> torch.Tensor | None:
        """Make the sequence equal `ids` with the least work that the policy allows; see `feed` for the result.

        At least the last token is run again, because its logits are needed. `report` says what was done.
        """
        self.report = self.cache.fit(ids, cancelled=cancelled)
        return self.report.logits

    def feed(self, ids: Sequence[int], *, cancelled: Callable[[], bool] = lambda: False) -> torch.Tensor | None:
        """Append `ids`; return the logits after the last, float32 [vocabulary].

        None if `cancelled` became true between two chunks; the chunks that were run stay.
        """
        self.passes += 1
        return self.cache.feed(ids, cancelled=cancelled)

    def feed_tree(
        self, tree: TokenTree, embeddings: torch.Tensor | None = None, layers: int | None = None
    ) -> torch.Tensor:
        """Run a tree after the sequence in one pass; the logits of each node, float32 [nodes, vocabulary].

        The logits of a node are those after the sequence and the path down to it. The sequence stays as it is. When
        the same tree has grown, and nothing else was run since, only the new nodes run, and only their logits come.
        `embeddings` ([new nodes, hidden]) replace the new nodes' tokens; `layers` runs so many of the first layers
        alone, for logits that are a guess. Then no path can be kept.
        """
        self.passes += layers is None
        return self.cache.feed_tree(tree, embeddings, layers)

    def keep(self, path: Sequence[int]) -> None:
        """Append these nodes of the tree that was run last, from the root on: afterwards they are as if fed.

        Raises
        ------
        ValueError
            If they are no path of a tree that was just run.
        """
        self.cache.keep(path)
