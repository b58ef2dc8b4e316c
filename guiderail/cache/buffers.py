"""The keys and values of one sequence, in buffers that are written in place.

transformers' DynamicCache concatenates, so every decoded token copies all that came before it (30 % of a step at
0.1 B on a CPU). Here a token is written into the next free slot; buffers that are full grow by a
twentieth, layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from guiderail.model.model import Model

SMALLEST = 256
# Spare slots are a twentieth of those in use, in whole grains: memory stays within a tenth of what the tokens take.
SPARE, GRAIN = 20, 32


@dataclass(frozen=True, slots=True)
class CacheShape:
    """The size of one token's keys and values.

    Parameters
    ----------
    layers, heads, head_dim
        Of keys and values (the kv heads of grouped-query attention).
    dtype, device
        Of the stored tensors.
    value_dim
        Of values, where it is not `head_dim`.
    """

    layers: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device
    value_dim: int | None = None

    @classmethod
    def of(cls, model: Model) -> CacheShape:
        """The shape of a model's cache."""
        return cls(model.layers, model.kv_heads, model.head_dim, model.dtype, model.device, model.value_dim)

    @property
    def bytes_per_token(self) -> int:
        """Bytes that one more token takes in all layers."""
        return self.layers * self.heads * sum(self.widths) * self.dtype.itemsize

    @property
    def widths(self) -> tuple[int, int]:
        """Of a key and of a value."""
        return self.head_dim, self.value_dim or self.head_dim


class KeyValueBuffers:
    """Preallocated keys and values of all layers.

    Parameters
    ----------
    shape
        What one token takes.
    capacity
        Slots to begin with; `reserve` makes more where they do not suffice.
    """

    def __init__(self, shape: CacheShape, capacity: int = SMALLEST) -> None:
        self.shape = shape
        self.capacity = max(capacity, 1)
        self._keys, self._values = ([self._allocated(width) for _ in range(shape.layers)] for width in shape.widths)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that are taken."""
        return self.capacity * self.shape.bytes_per_token

    def _allocated(self, width: int) -> torch.Tensor:
        s = self.shape
        return torch.zeros(s.heads, self.capacity, width, dtype=s.dtype, device=s.device)

    def reserve(self, slots: int) -> None:
        """Grow to at least `slots` tokens and keep what is stored; at most one tensor is held twice at a time."""
        if slots <= self.capacity:
            return
        old, self.capacity = self.capacity, -(-(slots + slots // SPARE) // GRAIN) * GRAIN
        for tensors in (self._keys, self._values):
            for layer, stored in enumerate(tensors):
                tensors[layer] = self._allocated(stored.shape[-1])
                tensors[layer][:, :old] = stored

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        """Store keys and values ([heads, q, head_dim]) of `layer` in `slots` (a slice, or int64 [q])."""
        self._keys[layer][:, slots] = key
        self._values[layer][:, slots] = value

    def copy_out(self, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies of the keys and values of all layers in `slots` (int64 [q]), [layers, heads, q, head_dim] each."""
        return torch.stack([k[:, slots] for k in self._keys]), torch.stack([v[:, slots] for v in self._values])

    def copy_in(self, slots: torch.Tensor, stored: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Write back what `copy_out` returned."""
        for layer, (keys, values) in enumerate(zip(*stored, strict=True)):
            self.write(layer, slots, keys, values)

    def move(
        self, source: torch.Tensor, target: torch.Tensor, rotate: Callable[[int, torch.Tensor], torch.Tensor]
    ) -> None:
        """Copy the slots `source` to `target` (int64 [m]; they may overlap), layer by layer.

        `rotate(layer, keys)` gives the keys ([heads, m, head_dim]) as they are to be stored.
        """
        for layer in range(self.shape.layers):
            self._keys[layer][:, target] = rotate(layer, self._keys[layer][:, source])
            self._values[layer][:, target] = self._values[layer][:, source]

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Views [heads, length, head_dim] of the first `length` slots."""
        return self._keys[layer][:, :length], self._values[layer][:, :length]
