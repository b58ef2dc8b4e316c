"""Decode steps of a fixed shape, captured as CUDA graphs.

On a GPU a decode step of a small model is bound by the launching of several hundred kernels, not by the kernels. A
graph launches them at once, but its shapes and addresses are fixed: the step reads a whole bucket of slots under a
mask made from the positions, and writes where the positions say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.model.attention import Step
from guiderail.model.rope import STATIC_ROPE

if TYPE_CHECKING:
    from guiderail.cache.buffers import KeyValueBuffers
    from guiderail.model.model import Model

# Tokens a step: one, and the widths at which drafts and look-ahead are padded.
WIDTHS = (1, 2, 4, 8, 16, 32)
SMALLEST_BUCKET = 256
WARM_UPS = 2


def supports(model: Model) -> bool:
    """Whether the model's step can be captured.

    It can on CUDA, with rotary frequencies that do not depend on the length, and without recurrent layers, whose state
    is not at a fixed address.
    """
    types = {rope.get("rope_type", "default") for rope in model.rope}
    return model.device.type == "cuda" and types <= STATIC_ROPE and not model.is_hybrid


class FixedStep:
    """One forward pass of fixed width over a fixed number of slots.

    Parameters
    ----------
    model, buffers
        What runs, and where its keys and values are.
    width
        Tokens a pass.
    bucket
        Slots that are read.
    """

    def __init__(self, model: Model, buffers: KeyValueBuffers, width: int, bucket: int) -> None:
        self.model = model
        self.buffers = buffers
        self.ids = torch.zeros(width, dtype=torch.int64, device=model.device)
        self.positions = torch.arange(width, device=model.device)
        self.slots = torch.arange(bucket, device=model.device)

    def run(self) -> torch.Tensor:
        """float32 logits [1, vocabulary] of the last of `ids` at `positions`, which the caller has filled in."""
        step = Step(
            store=self.buffers,
            slots=self.positions,
            length=len(self.slots),
            mask=self.slots[None] <= self.positions[:, None],
            query_positions=self.positions,
            key_positions=self.slots,
        )
        return self.model.forward(self.ids, self.positions, step)


@dataclass(slots=True)
class _Captured:
    step: FixedStep
    graph: torch.cuda.CUDAGraph
    logits: torch.Tensor


class DecodeGraphs:
    """The captured steps of one sequence's buffers; made on first use, dropped when the buffers grow.

    Parameters
    ----------
    model, buffers
        What runs, and where its keys and values are.
    """

    def __init__(self, model: Model, buffers: KeyValueBuffers) -> None:
        self.model = model
        self.buffers = buffers
        self._captured: dict[tuple[int, int], _Captured] = {}
        self._capacity = buffers.capacity

    def step(self, ids: torch.Tensor, start: int) -> torch.Tensor | None:
        """float32 logits [1, vocabulary] of `ids` (int64 [q]) from position `start` on; None if q is not a width."""
        if len(ids) not in WIDTHS:
            return None
        if self._capacity != self.buffers.capacity:
            self._captured.clear()
            self._capacity = self.buffers.capacity
        captured = self._graph(len(ids), bucket(start + len(ids), self.buffers.capacity))
        captured.step.ids.copy_(ids)
        captured.step.positions.copy_(torch.arange(start, start + len(ids), device=ids.device))
        captured.graph.replay()
        return captured.logits.clone()

    def _graph(self, width: int, slots: int) -> _Captured:
        if (width, slots) not in self._captured:
            self._captured[width, slots] = self._capture(FixedStep(self.model, self.buffers, width, slots))
        return self._captured[width, slots]

    def _capture(self, step: FixedStep) -> _Captured:
        # Warm-up and capture write to slots that hold tokens: put their keys and values back afterwards.
        saved = self.buffers.copy_out(step.positions)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step.run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = step.run()
        self.buffers.copy_in(step.positions, saved)
        return _Captured(step, graph, logits)


def bucket(length: int, capacity: int) -> int:
    """The smallest power of two of slots, at least 256, that holds `length`, bounded by `capacity`."""
    size = SMALLEST_BUCKET
    while size < length:
        size *= 2
    return min(size, capacity)
