"""A parked sequence with its keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from guiderail.cache.ledger import Ledger


@dataclass(slots=True)
class Parked:
    """A sequence with its keys and values, out of use: no more memory than its tokens take.

    Parameters
    ----------
    ledger
        The tokens and their states.
    keys, values
        Of each layer, [heads, tokens, head_dim], on the model's device or on the CPU.
    scaling
        Of RoPE whose frequencies depend on the length (`Planner.scaling_of`).
    """

    ledger: Ledger
    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    scaling: int | None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values."""
        return sum(t.nbytes for t in (*self.keys, *self.values))

    def to(self, device: torch.device | str) -> None:
        """Move keys and values to a device."""
        self.keys, self.values = ([t.to(device) for t in tensors] for tensors in (self.keys, self.values))
