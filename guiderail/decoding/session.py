"""One model with one sequence: feed tokens, get logits, go back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.decoding import graphs
from guiderail.model.attention import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from guiderail.model.model import Model

# Tokens a prompt is encoded by at a time: bounds the memory of masks and scores, and how long a cancel waits.
CHUNK = 512


class Session:
    """A sequence of tokens with its keys and values.

    Slot i of the buffers holds token i, and its position is i. What is behind `length` is garbage that the next
    tokens overwrite, so going back costs nothing.

    Parameters
    ----------
    model
        The model to run.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        shape = CacheShape(model.layers, model.kv_heads, model.head_dim, model.dtype, model.device)
        self.buffers = KeyValueBuffers(shape)
        self.ids: list[int] = []
        self.reused = 0  # tokens that the last `fit` kept
        self._steps = torch.arange(self.buffers.capacity, device=model.device)
        self._graphs = graphs.DecodeGraphs(model, self.buffers) if graphs.supports(model) else None

    @property
    def length(self) -> int:
        """Tokens in the sequence."""
        return len(self.ids)

    def rollback(self, tokens: int) -> None:
        """Forget the last `tokens` tokens."""
        if not 0 <= tokens <= self.length:
            raise ValueError(f"cannot forget {tokens} of {self.length} tokens")
        if tokens:
            del self.ids[-tokens:]

    def fit(self, ids: Sequence[int], *, cancelled: Callable[[], bool] = lambda: False) -> torch.Tensor | None:
        """Make the sequence equal `ids`, re-using the longest common prefix; see `feed` for the result.

        At least the last token is run again, because its logits are needed.
        """
        same = 0
        for mine, wanted in zip(self.ids, ids, strict=False):
            if mine != wanted:
                break
            same += 1
        self.reused = same = min(same, len(ids) - 1)
        self.rollback(self.length - same)
        return self.feed(ids[same:], cancelled=cancelled)

    def feed(self, ids: Sequence[int], *, cancelled: Callable[[], bool] = lambda: False) -> torch.Tensor | None:
        """Append `ids`; return the logits behind the last, float32 [vocabulary].

        None if `cancelled` became true between two chunks; the chunks that were run stay.
        """
        if not ids:
            raise ValueError("feed needs at least one token")
        logits = None
        for start in range(0, len(ids), CHUNK):
            if start and cancelled():
                return None
            logits = self._run(ids[start : start + CHUNK])
        assert logits is not None
        return logits[-1]

    def _run(self, ids: Sequence[int]) -> torch.Tensor:
        start, end = self.length, self.length + len(ids)
        self._reserve(end)
        tokens = torch.tensor(ids, device=self.model.device)
        logits = self._graphs.step(tokens, start) if self._graphs else None
        if logits is None:
            logits = self._forward(tokens, start, end)
        self.ids.extend(ids)
        return logits

    def _forward(self, tokens: torch.Tensor, start: int, end: int) -> torch.Tensor:
        positions = self._steps[start:end]
        step = Step(
            store=self.buffers,
            slots=slice(start, end),
            length=end,
            mask=self._steps[None, :end] <= positions[:, None] if len(tokens) > 1 and start else None,
        )
        if self.model.has_sliding_layers:
            step.query_positions, step.key_positions = positions, self._steps[:end]
        return self.model.forward(tokens, positions, step)

    def _reserve(self, slots: int) -> None:
        self.buffers.reserve(slots)
        if len(self._steps) < self.buffers.capacity:
            self._steps = torch.arange(self.buffers.capacity, device=self.model.device)
