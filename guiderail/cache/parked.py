"""A parked sequence with its keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from guiderail.cache.checkpoints import Checkpoints
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
    states
        Of recurrent layers; None for a model that has none.
    """

    ledger: Ledger
    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    scaling: int | None
    states: Checkpoints | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values, and of the recurrent layers' states."""
        return sum(t.nbytes for t in (*self.keys, *self.values)) + (self.states.nbytes if self.states else 0)

    def to(self, device: torch.device | str) -> None:
        """Move all of them to a device."""
        self.states = self.states and self.states.copy(device)
        self.keys, self.values = ([t.to(device) for t in tensors] for tensors in (self.keys, self.values))
