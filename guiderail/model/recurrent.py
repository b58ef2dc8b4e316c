"""The state of recurrent layers, where transformers' own layers expect their cache.

A recurrent layer keeps no keys and values but a state: the last columns that its convolution read, and a matrix a head
that each token decays and adds to. A pass starts from a state and ends with another. States are never changed once
they are made, so that keeping one costs no copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class LayerState:
    """What a recurrent layer keeps of all tokens so far.

    Parameters
    ----------
    columns
        What its convolution read last, [1, channels, kernel].
    matrix
        The state of each head, [1, heads, ...]; None for a layer that is a convolution alone.
    """

    columns: torch.Tensor
    matrix: torch.Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.columns.nbytes + (0 if self.matrix is None else self.matrix.nbytes)

    def to(self, device: torch.device | str) -> LayerState:
        """The same on a device."""
        return LayerState(self.columns.to(device), None if self.matrix is None else self.matrix.to(device))


State = Mapping[int, LayerState]  # by layer; empty before the first token


def state_bytes(state: State) -> int:
    """Bytes that the state of all layers takes."""
    return sum(layer.nbytes for layer in state.values())


class Cacheless:
    """The part of transformers' cache that attention layers ask: keys and values are kept by our attention function."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the attention function is given: the new keys and values alone."""
        return key_states, value_states

    def get_seq_length(self, _layer_idx: int = 0) -> int:
        """Nothing depends on it: every pass says its positions."""
        return 0


class Continuation(Cacheless):
    """A pass over several tokens that follow each other, after a state.

    A single token runs as a tree of one node (`recurrent_tree`): transformers' kernels for one token change the state
    in place, and that of Mamba-2 leaves out the limits of its time steps.

    Parameters
    ----------
    before
        The state to start from.
    """

    def __init__(self, before: State) -> None:
        self._before = before
        self._columns: dict[int, torch.Tensor] = {}
        self._matrices: dict[int, torch.Tensor] = {}

    @property
    def after(self) -> State:
        """The state after the pass."""
        return {layer: LayerState(columns, self._matrices.get(layer)) for layer, columns in self._columns.items()}

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        """The columns to start from; None at the beginning."""
        return self._before[layer_idx].columns if layer_idx in self._before else None

    def update_conv_state(
        self,
        conv_states: torch.Tensor,
        layer_idx: int,
        state_idx: int = 0,
        conv_kernel_size: int | None = None,
        **_: Any,
    ) -> torch.Tensor:
        """The columns so far with the new ones ([1, channels, q]) after them; zeros stand before the first token."""
        kernel = conv_kernel_size or conv_states.shape[-1]
        held = self.get_conv_state(layer_idx)
        if held is None:
            held = conv_states.new_zeros((*conv_states.shape[:-1], kernel))
        full = torch.cat((held, conv_states), -1)
        self._columns[layer_idx] = full[..., -kernel:].clone()
        return full

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        """The matrices to start from; None at the beginning."""
        return self._before[layer_idx].matrix if layer_idx in self._before else None

    def update_recurrent_state(self, recurrent_states: torch.Tensor, layer_idx: int, **_: Any) -> None:
        """Keep the matrices; what is a part of something larger is copied, so that the rest can go."""
        is_whole = recurrent_states.untyped_storage().nbytes() == recurrent_states.nbytes
        self._matrices[layer_idx] = recurrent_states if is_whole else recurrent_states.clone()

    def is_recording_past(self, layer_idx: int) -> bool:
        """No: the last columns are enough."""
        return False
