"""How far the tokens after an edit deviate from a full encoding, measured at the first layer that can differ.

CacheBlend (arXiv 2405.16444, section 4.3) computes one layer of everything and compares the next layer's values with
the stored ones: tokens that changed much there changed much further up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import torch

from guiderail.model.attention import Step

if TYPE_CHECKING:
    from guiderail.cache.buffers import KeyValueBuffers
    from guiderail.model.model import Model


class _EnoughSeen(Exception):
    """Raised once the second layer's values are known, to end the pass early."""


class _Probe:
    """Stores the first layer (which depends on nothing but token and position) and catches the second's values."""

    def __init__(self, buffers: KeyValueBuffers) -> None:
        self._buffers = buffers
        self.values = torch.empty(0)

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        if layer == 1:
            self.values = value
            raise _EnoughSeen
        self._buffers.write(layer, slots, key, value)

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._buffers.read(layer, length)


def deviations(
    model: Model, buffers: KeyValueBuffers, ids: Sequence[int], indices: Sequence[int], chunk: int
) -> list[float]:
    """Squared distance of each token's value in the second layer from the stored one.

    Parameters
    ----------
    model, buffers
        What runs; slot i holds position i, and keys stand at their new positions.
    ids, indices
        The tokens and their positions, in order; those without keys and values yet among them.
    chunk
        Tokens run at a time.
    """
    if model.layers < 2:
        return [0.0] * len(ids)
    scores: list[float] = []
    for start in range(0, len(indices), chunk):
        places = torch.tensor(indices[start : start + chunk], device=model.device)
        tokens = torch.tensor(ids[start : start + chunk], device=model.device)
        end = int(places[-1]) + 1
        keys = torch.arange(end, device=model.device)
        probe = _Probe(buffers)
        step = Step(probe, places, end, keys[None] <= places[:, None], query_positions=places, key_positions=keys)
        with suppress(_EnoughSeen):
            model.forward(tokens, places, step)
        stored = buffers.read(1, end)[1][:, places]
        scores += (probe.values - stored).float().square().sum((0, 2)).tolist()
    return scores
