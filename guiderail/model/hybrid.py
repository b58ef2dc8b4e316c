"""Families with recurrent layers that run here, and how much their state takes, by the configuration alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Model types with gated delta nets, Mamba-2 or short convolutions. Each is held equal to transformers' own forward by
# the tests.
HYBRIDS = {
    "qwen3_next": "Qwen3-Next", "qwen3_5": "Qwen3.5", "qwen3_5_text": "Qwen3.5", "olmo_hybrid": "Olmo Hybrid",
    "granitemoehybrid": "Granite 4", "bamba": "Bamba", "falcon_h1": "Falcon-H1", "nemotron_h": "Nemotron-H",
    "lfm2": "LFM2",
}  # fmt: skip
_ATTENTION = frozenset(("attention", "full_attention", "sliding_attention", "hybrid"))
_RECURRENT = frozenset(("mamba", "linear_attention", "conv", "hybrid"))
_PATTERN = {"M": "mamba", "*": "attention"}  # of Nemotron-H
_MOST_LAYERS = 10_000
# Bytes of a sequence's checkpoints, and how many at least and at most (`cache.checkpoints`).
_MOST_BYTES = 256 << 20
_FEWEST, _MOST = 4, 32


def most_checkpoints(size: int) -> int:
    """How many checkpoints of `size` bytes each a sequence has at most."""
    return min(max(_MOST_BYTES // max(size, 1), _FEWEST), _MOST)


def attention_layers(config: Mapping[str, Any]) -> int | None:
    """How many layers of a hybrid have keys and values; None for a model of another family."""
    if config.get("model_type") not in HYBRIDS:
        return None
    return sum(kind in _ATTENTION for kind in _kinds(config))


def state_width(config: Mapping[str, Any]) -> int:
    """Numbers in the state of all recurrent layers; 0 for a family without any."""
    if config.get("model_type") not in HYBRIDS:
        return 0
    return sum(kind in _RECURRENT for kind in _kinds(config)) * _layer_width(config)


def _kinds(config: Mapping[str, Any]) -> Iterable[str]:
    """The kind of each layer, however the configuration tells it."""
    if stated := config.get("layer_types") or config.get("layers_block_type"):
        return stated
    if pattern := config.get("hybrid_override_pattern"):
        return [_PATTERN.get(letter, "mlp") for letter in pattern]
    layers = _count(config, "num_hidden_layers", most=_MOST_LAYERS)
    if config["model_type"] == "falcon_h1":
        return ["hybrid"] * layers
    at = config.get("attn_layer_indices") or config.get("full_attn_idxs")
    if at is None:
        interval = _count(config, "full_attention_interval", default=4)
        at = range(interval - 1, layers, interval)
    return ["attention" if layer in at else "mamba" for layer in range(layers)]


def _layer_width(config: Mapping[str, Any]) -> int:
    """Numbers in the state of a layer: the columns of its convolution, and a matrix for each head."""
    if "linear_num_value_heads" in config:
        keys = _count(config, "linear_num_key_heads") * _count(config, "linear_key_head_dim")
        values = _count(config, "linear_num_value_heads") * _count(config, "linear_value_head_dim")
        columns = (2 * keys + values) * _count(config, "linear_conv_kernel_dim", default=4)
        return columns + values * _count(config, "linear_key_head_dim")
    if config["model_type"] == "lfm2":
        return _count(config, "hidden_size") * _count(config, "conv_L_cache", default=3)
    state = _count(config, "mamba_d_state", "ssm_state_size")
    values = _count(config, "mamba_n_heads", "mamba_num_heads") * _count(config, "mamba_d_head", "mamba_head_dim")
    columns = values + 2 * _count(config, "mamba_n_groups", "n_groups") * state
    return columns * _count(config, "mamba_d_conv", "conv_kernel") + values * state


def _count(config: Mapping[str, Any], *names: str, default: int | None = None, most: int = 1 << 30) -> int:
    """The first of these numbers that is there; raises ValueError where it is none."""
    value = next((config[name] for name in names if name in config), default)
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{names[0]} is no count")
    return value
