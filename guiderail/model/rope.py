"""Rotary frequencies that do not depend on the length seen, as transformers computes them.

Its functions want its configuration classes, whose import takes longer than all else that a small model's start does.
So the four static kinds are computed here, operation by operation as there, and tested equal bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

Rope = tuple[torch.Tensor, float]  # frequencies, float32 [head_dim / 2], and what cos and sin are multiplied by


def frequencies(parameters: Mapping[str, Any], head_dim: int, context: int) -> Rope:
    """Radians a position of each pair of dimensions, and the factor on cos and sin.

    Parameters
    ----------
    parameters
        A configuration's ``rope_parameters``, with its ``rope_type`` and ``rope_theta``.
    head_dim
        Width of a head.
    context
        The configuration's ``max_position_embeddings``.

    Raises
    ------
    KeyError
        If the type is not in `STATIC_ROPE`, or a number that it needs is missing.
    """
    return _KINDS[parameters["rope_type"]](parameters, head_dim, context)


def _powers(parameters: Mapping[str, Any], head_dim: int) -> torch.Tensor:
    return parameters["rope_theta"] ** (torch.arange(0, head_dim, 2, dtype=torch.float) / head_dim)


def _default(parameters: Mapping[str, Any], head_dim: int, _context: int) -> Rope:
    return 1.0 / _powers(parameters, head_dim), 1.0


def _linear(parameters: Mapping[str, Any], head_dim: int, _context: int) -> Rope:
    return 1.0 / _powers(parameters, head_dim) / parameters["factor"], 1.0


def _llama3(parameters: Mapping[str, Any], head_dim: int, _context: int) -> Rope:
    plain = 1.0 / _powers(parameters, head_dim)
    factor, first_length = parameters["factor"], parameters["original_max_position_embeddings"]
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    wavelength = 2 * math.pi / plain
    is_long, is_short = wavelength > first_length / low, wavelength < first_length / high
    found = torch.where(is_long, plain / factor, plain)
    share = (first_length / wavelength - low) / (high - low)
    between = (1 - share) * found / factor + share * found
    return torch.where(~is_short * ~is_long, between, found), 1.0


def _yarn(parameters: Mapping[str, Any], head_dim: int, context: int) -> Rope:
    powers, first_length = _powers(parameters, head_dim), parameters["original_max_position_embeddings"]
    factor = parameters["factor"]
    if factor is None:
        factor = context / first_length
    low, high = _yarn_range(parameters, head_dim, first_length)
    if low == high:
        high += 0.001
    ramp = torch.clamp((torch.arange(head_dim // 2, dtype=torch.float32) - low) / (high - low), 0, 1)
    kept = 1 - ramp
    found = 1.0 / (factor * powers) * (1 - kept) + 1.0 / powers * kept
    return found, _yarn_attention(parameters, factor)


def _yarn_range(parameters: Mapping[str, Any], head_dim: int, first_length: int) -> tuple[float, float]:
    """The pairs between which frequencies go over from those that are kept to those that are stretched."""
    theta = parameters["rope_theta"]

    def pair(turns: float) -> float:
        return (head_dim * math.log(first_length / (turns * 2 * math.pi))) / (2 * math.log(theta))

    low, high = pair(parameters.get("beta_fast") or 32), pair(parameters.get("beta_slow") or 1)
    if parameters.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    return max(low, 0), min(high, head_dim - 1)


def _yarn_attention(parameters: Mapping[str, Any], factor: float) -> float:
    stated, scale = parameters.get("attention_factor"), parameters.get("mscale")
    if stated is not None:
        return stated

    def grown(by: float = 1) -> float:
        return 1.0 if factor <= 1 else 0.1 * by * math.log(factor) + 1.0

    over_all = parameters.get("mscale_all_dim")
    return float(grown(scale) / grown(over_all)) if scale and over_all else grown()


_KINDS: dict[str, Callable[[Mapping[str, Any], int, int], Rope]] = {
    "default": _default, "linear": _linear, "llama3": _llama3, "yarn": _yarn,
}  # fmt: skip
# RoPE types whose frequencies do not depend on the length seen, so that one table serves every call.
STATIC_ROPE = frozenset(_KINDS)
