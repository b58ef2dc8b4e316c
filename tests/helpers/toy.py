"""A toy model: scores after every sequence of a few tokens, for methods to be held against their formulas."""

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from guiderail.cache.tree import TokenTree


class ToySession:
    """What methods use of a session, over a function of the ids instead of a network.

    Parameters
    ----------
    scores
        float32 [vocabulary] after any ids.
    """

    def __init__(self, scores: Callable[[Sequence[int]], torch.Tensor], prompt: Sequence[int] = ()) -> None:
        self.model: Any = None
        self._scores = scores
        self.ids = list(prompt)
        self.passes = 0
        self._tree: TokenTree | None = None
        self._layers: int | None = None
        self._grown = 0

    @property
    def length(self) -> int:
        return len(self.ids)

    def fit(self, ids: Sequence[int]) -> torch.Tensor:
        self._tree = None
        self.ids = list(ids)
        return self._scores(self.ids)

    def feed(self, ids: Sequence[int]) -> torch.Tensor:
        self.passes += 1
        self._tree = None
        self.ids += ids
        return self._scores(self.ids)

    def feed_tree(self, tree: TokenTree, *, layers: int | None = None) -> torch.Tensor:
        self.passes += layers is None
        if tree is not self._tree or layers != self._layers:
            self._tree, self._layers, self._grown = tree, layers, 0
        scores = self._scores if layers is None else self.model.early(layers)
        rows = [scores(self.ids + tree.ids(node)) for node in range(self._grown, len(tree))]
        self._grown = len(tree)
        return torch.stack(rows)

    def keep(self, path: Sequence[int]) -> None:
        assert not path or (self._tree is not None and self._layers is None)
        tree, self._tree = self._tree, None
        if tree is not None:
            assert list(path) == (tree.path(path[-1]) if path else [])
            self.ids += [tree.tokens[node] for node in path]

    def rollback(self, tokens: int) -> None:
        self._tree = None
        del self.ids[len(self.ids) - tokens :]


def random_scores(vocabulary: int, seed: int, spread: float = 2.0) -> Callable[[Sequence[int]], torch.Tensor]:
    """Scores that differ after every sequence, the same for one seed."""

    def scores(ids: Sequence[int]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(random.Random(f"{seed} {list(ids)}").randrange(2**31))
        return spread * torch.randn(vocabulary, generator=generator)

    return scores


class ToyModel:
    """What drafters use of a model, over scores that are random and the same each time.

    Parameters
    ----------
    vocabulary
        Tokens.
    noise
        How far its scores are from those of the toy model without noise.
    """

    def __init__(self, vocabulary: int = 3, noise: float = 0.0) -> None:
        self.tokenizer = SimpleNamespace(token_bytes=[b"x"] * vocabulary, special={}, bos_id=None)
        self.info = SimpleNamespace(fim=None, context_length=1000)
        self._scores, self._other = random_scores(vocabulary, 0, 1.0), random_scores(vocabulary, 1, noise)

    def scores(self, ids: Sequence[int]) -> torch.Tensor:
        return self._scores(ids) + self._other(ids)

    def early(self, layers: int) -> Callable[[Sequence[int]], torch.Tensor]:
        """Scores after the first layers: the fewer, the further off; after eight they are the model's."""
        off = random_scores(len(self.tokenizer.token_bytes), 2, (8 - layers) / 4)
        return lambda ids: self.scores(ids) + off(ids)

    def session(self) -> ToySession:
        session = ToySession(self.scores)
        session.model = self
        return session
