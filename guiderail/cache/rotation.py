"""Rotates stored keys to another position, for models whose positions are rotations (RoPE).

A key at position j is R(j) k, so R(d) rotates it into the key at j + d. Which dimensions are paired, which frequencies
a layer uses, and whether positions enter in some other way too, differs between architectures. So nothing is assumed:
the frequencies are read from the module. `prove` runs the same tokens at two positions and keeps, for each layer, the
rotation that maps one result to the other. A model for which there is none is not patched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import torch

from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.model.attention import Step
from guiderail.model.matrix import Int8

if TYPE_CHECKING:
    from guiderail.model.model import Model

# The self-test: tokens, how far they are moved, and the relative error (L2 over a layer) that is still the same key.
TOKENS, SHIFT, SEED = 32, 61, 0
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
TOLERANCE_16_BIT = 5e-2
# Activations of 8 bits: a difference in the last bit of a float changes a whole step. 24 layers leave up to 8e-2.
TOLERANCE_8_BIT = 0.12
# RoPE whose frequencies depend on the length, once the length passes what the model was first trained on.
LENGTH_DEPENDENT = frozenset({"dynamic", "longrope"})

Pairing = Literal["half", "interleaved"]


@dataclass(frozen=True, slots=True)
class LayerRotation:
    """How a layer's keys rotate: the first `2 * len(frequencies)` dimensions, paired as (i, i + half) or (2i, 2i + 1).

    `frequencies` is float64 [pairs], radians a position.
    """

    frequencies: torch.Tensor
    pairing: Pairing

    def angles(self, shifts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """1 - cos and sin of the rotation by `shifts` (int64 [m]): float32 [m, pairs]; the angles are float64.

        The cosine of a small angle, rounded, is always off to the same side, and a thousand rotations would lengthen
        the key by 1e-5; what it lacks to 1 has no such error.
        """
        angle = shifts.double()[:, None] * self.frequencies
        return (2 * (angle / 2).sin().square()).float(), angle.sin().float()

    def rotate(self, keys: torch.Tensor, lack: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """`keys` ([heads, m, head_dim]) rotated, in their own dtype; the arithmetic is float32."""
        size = 2 * sin.shape[-1]
        rotary = keys[..., :size].float()
        a, b = rotary.chunk(2, -1) if self.pairing == "half" else (rotary[..., ::2], rotary[..., 1::2])
        rotated = (a - (a * lack + b * sin), b - (b * lack - a * sin))
        both = torch.cat(rotated, -1) if self.pairing == "half" else torch.stack(rotated, -1).flatten(-2)
        both = both.to(keys.dtype)
        return both if size == keys.shape[-1] else torch.cat((both, keys[..., size:]), -1)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What rotates the keys of every layer; None for a layer without positions.

    Parameters
    ----------
    layers
        One entry a layer.
    error
        The largest relative error that the self-test left.
    """

    layers: tuple[LayerRotation | None, ...]
    error: float

    def by(self, shifts: torch.Tensor) -> ShiftedKeys:
        """The rotation of tokens by `shifts` (int64 [m], on the keys' device)."""
        return ShiftedKeys(self, shifts)


class ShiftedKeys:
    """A rotation of given tokens, for all layers; the angles of equal layers are computed once."""

    def __init__(self, rotation: Rotation, shifts: torch.Tensor) -> None:
        self._layers = rotation.layers
        self._shifts = shifts
        self._angles: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __call__(self, layer: int, keys: torch.Tensor) -> torch.Tensor:
        """The keys of `layer`, [heads, m, head_dim], at their new places."""
        own = self._layers[layer]
        if own is None:
            return keys
        if id(own.frequencies) not in self._angles:
            self._angles[id(own.frequencies)] = own.angles(self._shifts)
        return own.rotate(keys, *self._angles[id(own.frequencies)])


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a model's keys cannot be rotated."""

    reason: str


_proved: WeakKeyDictionary[Model, Rotation | Refusal] = WeakKeyDictionary()


def rotation_of(model: Model) -> Rotation | Refusal:
    """The proved rotation of `model`; the self-test runs once a model."""
    if model not in _proved:
        _proved[model] = prove(model)
    return _proved[model]


@torch.inference_mode()
def prove(model: Model) -> Rotation | Refusal:
    """Find out by a self-test how the model's keys rotate.

    The same random tokens are run at positions 0.. and `SHIFT`..: with relative positions every layer's values must be
    equal, and every layer's keys must differ by one rotation. Then a few of them are run again in the middle, under a
    mask, which must change nothing.
    """
    if model.is_hybrid:
        return Refusal("its recurrent layers keep a state, which goes on from a checkpoint and cannot be patched")
    shift = min(SHIFT, model.info.context_length - TOKENS)
    if shift < 1:
        return Refusal(f"its context of {model.info.context_length} tokens is too short for the self-test")
    here, there = _run(model, 0), _run(model, shift)
    tolerance = _tolerance(model)
    layers, worst = list[LayerRotation | None](), 0.0
    candidates = [None, *_candidates(model)]
    for index in range(model.layers):
        (keys, values), (moved, same) = here.read(index, TOKENS), there.read(index, TOKENS)
        if _error(values, same) > tolerance:
            return Refusal(f"values of layer {index} depend on the position, so moving keys is not enough")
        error, best = min((_rotation_error(c, keys, moved, shift), at) for at, c in enumerate(candidates))
        if error > tolerance:
            return Refusal(f"no rotation moves the keys of layer {index}: the best leaves an error of {error:.1e}")
        layers.append(candidates[best])
        worst = max(worst, error)
    error = _rerun_error(model, here)
    if error > tolerance:
        return Refusal(f"running tokens again in the middle changes them by {error:.1e}")
    return Rotation(tuple(layers), worst)


def _tolerance(model: Model) -> float:
    """The relative error that rounding leaves."""
    return TOLERANCE_8_BIT if model.layout is Int8 else TOLERANCE.get(model.dtype, TOLERANCE_16_BIT)


def length_limit(model: Model) -> tuple[str, int] | None:
    """The kind of RoPE whose frequencies depend on the length, and the length from which on they do; or None."""
    kinds = sorted({r.get("rope_type", "default") for r in model.rope} & LENGTH_DEPENDENT)
    if not kinds:
        return None
    limits = [r.get("original_max_position_embeddings") for r in model.rope]
    return kinds[0], min([model.first_length, *(limit for limit in limits if limit)])


def _candidates(model: Model) -> list[LayerRotation]:
    """Every frequency set of the model in both pairings; half-split first, the commoner."""
    sets: list[torch.Tensor] = []
    for found in model.frequencies():
        frequencies = found.double()
        if 2 * len(frequencies) <= model.head_dim and not any(torch.equal(frequencies, s) for s in sets):
            sets.append(frequencies)
    return [LayerRotation(s, pairing) for s in sets for pairing in ("half", "interleaved")]


def _run(model: Model, first: int) -> KeyValueBuffers:
    """The keys and values of the test's tokens at positions `first`.., in the slots 0..."""
    shape = CacheShape.of(model)
    buffers = KeyValueBuffers(shape, TOKENS)
    positions = torch.arange(first, first + TOKENS, device=model.device)
    step = Step(buffers, slice(0, TOKENS), TOKENS, query_positions=positions, key_positions=positions)
    model.forward(_test_ids(model), positions, step)
    return buffers


def _test_ids(model: Model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(model.vocab_size, (TOKENS,), generator=generator).to(model.device)


def _rerun_error(model: Model, buffers: KeyValueBuffers) -> float:
    """How much running every third token again, in place and under a mask, changes keys and values."""
    everything = torch.arange(TOKENS, device=model.device)
    before = [tuple(t.clone() for t in buffers.read(layer, TOKENS)) for layer in range(model.layers)]
    places = everything[1::3]
    mask = everything[None] <= places[:, None]
    step = Step(buffers, places, TOKENS, mask, query_positions=places, key_positions=everything)
    model.forward(_test_ids(model)[places], places, step)
    return max(
        _error(old, new)
        for layer, stored in enumerate(before)
        for old, new in zip(stored, buffers.read(layer, TOKENS), strict=True)
    )


def _rotation_error(layer: LayerRotation | None, keys: torch.Tensor, moved: torch.Tensor, shift: int) -> float:
    if layer is not None:
        keys = layer.rotate(keys, *layer.angles(torch.full((keys.shape[1],), shift, device=keys.device)))
    return _error(moved, keys)


def _error(expected: torch.Tensor, got: torch.Tensor) -> float:
    expected, got = expected.float(), got.float()
    return float((got - expected).norm() / expected.norm().clamp_min(1e-30))
