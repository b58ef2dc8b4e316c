"""Packed masks over a vocabulary: int32 [ceil(vocabulary / 32)], as `constraint` describes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def full_mask(vocabulary: int) -> np.ndarray:
    """A mask that allows every token."""
    return np.full((vocabulary + 31) // 32, -1, dtype=np.int32)


def pack(ids: Sequence[int], vocabulary: int) -> np.ndarray:
    """A mask that allows these ids alone."""
    mask = np.zeros((vocabulary + 31) // 32, dtype=np.int32)
    add(mask, np.array(ids, dtype=np.int64))
    return mask


def allowed(bitmask: np.ndarray, vocabulary: int) -> torch.Tensor:
    """The mask as bool [vocabulary]."""
    bits = np.unpackbits(bitmask.view(np.uint8), bitorder="little")[:vocabulary]
    return torch.from_numpy(bits.view(np.bool_))


def add(mask: np.ndarray, ids: np.ndarray) -> None:
    """Set the bits of `ids` (int64), in place."""
    np.bitwise_or.at(mask.view(np.uint32), ids >> 5, np.uint32(1) << (ids & 31).astype(np.uint32))


def permit(bitmask: np.ndarray, ids: np.ndarray) -> None:
    """Clear every bit but those of `ids` (int64) that were set, in place."""
    chosen = np.zeros_like(bitmask)
    add(chosen, ids)
    bitmask &= chosen


def forbid(bitmask: np.ndarray, ids: np.ndarray) -> None:
    """Clear the bits of `ids` (int64), in place."""
    chosen = np.zeros_like(bitmask)
    add(chosen, ids)
    bitmask &= ~chosen
