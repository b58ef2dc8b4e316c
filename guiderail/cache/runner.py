"""Runs tokens of a sequence and stores their keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache import graphs
from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.model.attention import Step

if TYPE_CHECKING:
    from guiderail.cache.tree import TokenTree
    from guiderail.model.model import Model


class Runner:
    """Forward passes of one sequence, whose token i is at position i and in slot i of the buffers.

    It knows no token states: whoever calls says which slots hold what (`LiveCache`).

    Parameters
    ----------
    model
        The model to run.

    Attributes
    ----------
    buffers
        The keys and values.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.buffers = KeyValueBuffers(CacheShape.of(model))
        self._positions = torch.arange(self.buffers.capacity, device=model.device)
        self._graphs = graphs.DecodeGraphs(model, self.buffers) if graphs.supports(model) else None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values, with the spare slots."""
        return self.buffers.nbytes + self._positions.nbytes

    def reserve(self, slots: int) -> None:
        """Reserve slots for so many tokens."""
        self.buffers.reserve(slots)
        if len(self._positions) < self.buffers.capacity:
            self._positions = torch.arange(self.buffers.capacity, device=self.model.device)

    def encode(self, ids: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
        """Run tokens at `positions` (in order), each seeing what comes before it; logits of the last [vocabulary]."""
        first, end = positions[0], positions[-1] + 1
        self.reserve(end)
        tokens = torch.tensor(ids, device=self.model.device)
        consecutive = end - first == len(positions)
        logits = self._graphs.step(tokens, first) if consecutive and self._graphs else None
        if logits is None:
            slots = slice(first, end) if consecutive else torch.tensor(positions, device=self.model.device)
            logits = self._forward(tokens, slots, end, last=True)
        return logits[-1]

    def score(self, ids: Sequence[int], start: int) -> torch.Tensor:
        """Logits after each of `ids` from position `start` on, float32 [len(ids), vocabulary]."""
        end = start + len(ids)
        self.reserve(end)
        tokens = torch.tensor(list(ids), device=self.model.device)
        return self._forward(tokens, slice(start, end), end, last=False)

    def encode_tree(
        self, tree: TokenTree, base: int, done: int, embeddings: torch.Tensor | None, layers: int | None = None
    ) -> torch.Tensor:
        """Run the nodes of a tree from `done` on, in the slots after `base` tokens; logits of each of them.

        A node sees the `base` tokens and its own path. `embeddings` ([new nodes, hidden]) are read in place of the
        nodes' tokens. With `layers` so many of the first layers are run alone.
        """
        end, device = base + len(tree), self.model.device
        self.reserve(end)
        depths = torch.tensor(tree.depths, device=device) + base
        seen = tree.visible(done).to(device)
        step = Step(
            store=self.buffers,
            slots=slice(base + done, end),
            length=end,
            mask=torch.cat((seen.new_ones(len(seen), base), seen), 1),
            query_positions=depths[done:],
            key_positions=torch.cat((self._positions[:base], depths)),
        )
        tokens = torch.tensor(tree.tokens[done:], device=device) if embeddings is None else embeddings
        return self.model.forward(tokens, depths[done:], step, last=False, layers=layers)

    def move(
        self,
        moves: Sequence[tuple[int, int]],
        rotate: Callable[[torch.Tensor], Callable[[int, torch.Tensor], torch.Tensor]] | None = None,
    ) -> None:
        """Move keys and values from slot to slot; `rotate` gives the change of the keys for the shifts of positions."""
        source, target = torch.tensor(moves, device=self.model.device).T
        change = rotate(target - source) if rotate else lambda _, keys: keys
        self.buffers.move(source, target, change)

    def _forward(self, tokens: torch.Tensor, slots: slice | torch.Tensor, end: int, *, last: bool) -> torch.Tensor:
        positions = self._positions[slots]
        is_plain = isinstance(slots, slice) and (len(tokens) == 1 or slots.start == 0)
        mask = None if is_plain else self._positions[None, :end] <= positions[:, None]
        step = Step(store=self.buffers, slots=slots, length=end, mask=mask)
        if self.model.has_sliding_layers:
            step.query_positions, step.key_positions = positions, self._positions[:end]
        return self.model.forward(tokens, positions, step, last=last)
