"""Runs tokens of a sequence and stores their keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache import graphs
from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.cache.checkpoints import Checkpoints, ends_line, planned
from guiderail.model.attention import Step
from guiderail.model.hybrid import most_checkpoints
from guiderail.model.recurrent import Continuation
from guiderail.model.recurrent_tree import TreePass, TreeStates

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
    checkpoints
        The states of recurrent layers; None for a model that has none.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.checkpoints = Checkpoints(most_checkpoints(model.state_bytes)) if model.is_hybrid else None
        self._tree = TreeStates({})
        self._token_bytes = model.tokenizer.token_bytes if model.tokenizer else None
        self.buffers = KeyValueBuffers(CacheShape.of(model))
        self._positions = torch.arange(self.buffers.capacity, device=model.device)
        self._graphs = graphs.DecodeGraphs(model, self.buffers) if graphs.supports(model) else None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values, with the spare slots, and of the checkpoints."""
        return self.buffers.nbytes + self._positions.nbytes + (self.checkpoints.nbytes if self.checkpoints else 0)

    def reserve(self, slots: int) -> None:
        """Reserve slots for so many tokens."""
        self.buffers.reserve(slots)
        if len(self._positions) < self.buffers.capacity:
            self._positions = torch.arange(self.buffers.capacity, device=self.model.device)

    def resume(self, length: int) -> int:
        """Go back to at most `length` tokens; how many of them need not be run again.

        Recurrent layers go on from their last checkpoint; other layers can go on anywhere.
        """
        return length if self.checkpoints is None else self.checkpoints.rewind(length)

    def ends(self, ids: Sequence[int], start: int, chunk: int) -> list[int]:
        """Where the passes end that run `ids` from `start` on: after `chunk` tokens at most, and at checkpoints."""
        stops = [len(ids)]
        if self.checkpoints is not None:
            stops = planned(ids, start, most_checkpoints(self.model.state_bytes), self._token_bytes) + stops
        found = list[int]()
        for stop in stops:
            found += [*range(start + chunk, stop, chunk), stop]
            start = stop
        return found

    def encode(self, ids: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
        """Run tokens at `positions` (in order), each seeing what comes before it; logits of the last [vocabulary].

        With recurrent layers they must be the next ones.
        """
        first, end = positions[0], positions[-1] + 1
        self.reserve(end)
        tokens = torch.tensor(ids, device=self.model.device)
        consecutive = end - first == len(positions)
        logits = self._graphs.step(tokens, first) if consecutive and self._graphs else None
        if logits is None:
            slots = slice(first, end) if consecutive else torch.tensor(positions, device=self.model.device)
            recurrent = self._recurrent(first, len(ids))
            logits = self._forward(tokens, slots, end, last=True, recurrent=recurrent)
            if self.checkpoints is not None and recurrent is not None:
                self.checkpoints.advance(end, recurrent.after, keep=len(ids) > 1 or self._ends_line(ids[-1]))
        return logits[-1]

    def score(self, ids: Sequence[int], start: int) -> torch.Tensor:
        """Logits after each of `ids` from position `start` on, float32 [len(ids), vocabulary]."""
        end = start + len(ids)
        self.reserve(end)
        tokens = torch.tensor(list(ids), device=self.model.device)
        return self._forward(tokens, slice(start, end), end, last=False, recurrent=self._recurrent(start, len(ids)))

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
            recurrent=self._tree_pass(tree, done),
        )
        tokens = torch.tensor(tree.tokens[done:], device=device) if embeddings is None else embeddings
        return self.model.forward(tokens, depths[done:], step, last=False, layers=layers)

    def keep(self, tree: TokenTree, path: Sequence[int], base: int) -> None:
        """Make the nodes of a path the tokens after `base`: their positions are right already."""
        moves = [(base + node, base + depth) for depth, node in enumerate(path) if node != depth]
        if moves:
            self.move(moves)
        if self.checkpoints is not None:
            keep = self._ends_line(tree.tokens[path[-1]])
            self.checkpoints.advance(base + len(path), self._tree.after(path), keep=keep)

    def move(
        self,
        moves: Sequence[tuple[int, int]],
        rotate: Callable[[torch.Tensor], Callable[[int, torch.Tensor], torch.Tensor]] | None = None,
    ) -> None:
        """Move keys and values from slot to slot; `rotate` gives the change of the keys for the shifts of positions."""
        source, target = torch.tensor(moves, device=self.model.device).T
        change = rotate(target - source) if rotate else lambda _, keys: keys
        self.buffers.move(source, target, change)

    def _recurrent(self, start: int, count: int) -> Continuation | TreePass | None:
        """The pass of `count` tokens through recurrent layers that goes on after `start` tokens."""
        if self.checkpoints is None:
            return None
        if self.checkpoints.length != start:
            raise ValueError(f"the recurrent state is after {self.checkpoints.length} tokens, not {start}")
        state = self.checkpoints.state
        return Continuation(state) if count > 1 or not state else TreePass(TreeStates(state), [[0]], self.model.device)

    def _tree_pass(self, tree: TokenTree, done: int) -> TreePass | None:
        if self.checkpoints is None:
            return None
        if not done:
            self._tree = TreeStates(self.checkpoints.state)
        return TreePass(self._tree, [tree.path(node) for node in range(done, len(tree))], self.model.device)

    def _ends_line(self, token: int) -> bool:
        return self._token_bytes is not None and ends_line(self._token_bytes[token])

    def _forward(
        self,
        tokens: torch.Tensor,
        slots: slice | torch.Tensor,
        end: int,
        *,
        last: bool,
        recurrent: Continuation | TreePass | None = None,
    ) -> torch.Tensor:
        positions = self._positions[slots]
        is_plain = isinstance(slots, slice) and (len(tokens) == 1 or slots.start == 0)
        mask = None if is_plain else self._positions[None, :end] <= positions[:, None]
        step = Step(store=self.buffers, slots=slots, length=end, mask=mask, recurrent=recurrent)
        if self.model.has_sliding_layers:
            step.query_positions, step.key_positions = positions, self._positions[:end]
        return self.model.forward(tokens, positions, step, last=last)
