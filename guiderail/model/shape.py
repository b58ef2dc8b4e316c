"""The shape of a Llama-shaped model, from its configuration alone.

Only what is surely understood is: a configuration that leaves out what has different defaults, or says something that
is not known here, has no shape, and the model goes through transformers' own classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Architectures whose decoder is: RMSNorm, attention with half-split RoPE, RMSNorm, gated SiLU; nothing else.
ARCHITECTURES = {
    "llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM",
    "mistral": "MistralForCausalLM",
}  # fmt: skip
LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})
_STATIC_ROPE = frozenset({"default", "linear", "llama3", "yarn"})  # `rope.STATIC_ROPE`, without torch
_SCALED = frozenset({"llama3", "yarn"})  # types that know the length which the model was first trained on
_LARGEST = 1 << 31
_LONGEST = 1 << 24  # positions; there is a table of them
_WINDOW = 4096  # of Qwen and Mistral configurations that name none
_FIRST_WINDOW_LAYER = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes and choices that make one Llama-shaped model.

    Parameters
    ----------
    architecture
        The transformers class.
    vocabulary, hidden, inner, layers, heads, kv_heads, head_dim
        Sizes; `inner` is the width of the feed-forward part.
    context
        Positions that it was made for.
    eps
        Of RMSNorm.
    windows
        Tokens that the sliding window of each layer sees; None is all.
    qkv_bias, out_bias, head_norm
        Whether attention has biases on its inputs, on its output, and norms over each head.
    tied
        Whether the table of embeddings is the unembedding too.
    rope
        Parameters of the rotary frequencies (`rope.frequencies`).
    """

    architecture: str
    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    eps: float
    windows: tuple[int | None, ...]
    qkv_bias: bool
    out_bias: bool
    head_norm: bool
    tied: bool
    rope: Mapping[str, Any]

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor of the model by transformers' name."""
        table = (self.vocabulary, self.hidden)
        found = {"model.embed_tokens.weight": table, "model.norm.weight": (self.hidden,)}
        if not self.tied:
            found["lm_head.weight"] = table
        for layer in range(self.layers):
            found |= {f"model.layers.{layer}.{name}": shape for name, shape in self._layer().items()}
        return found

    def _layer(self) -> dict[str, tuple[int, ...]]:
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        outs = {"q_proj": queries, "k_proj": keys, "v_proj": keys}
        found: dict[str, tuple[int, ...]] = {
            "input_layernorm.weight": (self.hidden,),
            "post_attention_layernorm.weight": (self.hidden,),
            "self_attn.o_proj.weight": (self.hidden, queries),
            "mlp.gate_proj.weight": (self.inner, self.hidden),
            "mlp.up_proj.weight": (self.inner, self.hidden),
            "mlp.down_proj.weight": (self.hidden, self.inner),
        }
        found |= {f"self_attn.{name}.weight": (out, self.hidden) for name, out in outs.items()}
        if self.qkv_bias:
            found |= {f"self_attn.{name}.bias": (out,) for name, out in outs.items()}
        if self.out_bias:
            found["self_attn.o_proj.bias"] = (self.hidden,)
        if self.head_norm:
            found |= {f"self_attn.{name}_norm.weight": (self.head_dim,) for name in "qk"}
        return found


def shape_of(config: Mapping[str, Any], architecture: str | None = None) -> Shape | None:
    """The shape that a configuration describes, or None if it is not one that is surely understood.

    Parameters
    ----------
    config
        The values of a ``config.json``.
    architecture
        The class; by default the first that the configuration names.
    """
    try:
        named = architecture or config["architectures"][0]
        family = config["model_type"]
        if ARCHITECTURES.get(family) != named or not _is_plain(config):
            return None
        return _shape(config, family, named)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _is_plain(config: Mapping[str, Any]) -> bool:
    """Whether a configuration asks for nothing else than the decoder that is known here."""
    return (
        config.get("hidden_act", "silu") == "silu"
        and not config.get("mlp_bias")
        and not config.get("quantization_config")
        and config.get("partial_rotary_factor") in (None, 1.0)
    )


def _shape(config: Mapping[str, Any], family: str, architecture: str) -> Shape:
    hidden, heads = _whole(config["hidden_size"]), _whole(config["num_attention_heads"])
    kv_heads = config.get("num_key_value_heads") if family == "llama" else config["num_key_value_heads"]
    head_dim = config["head_dim"] if family == "qwen3" else config.get("head_dim") or hidden // heads
    layers, context = _whole(config["num_hidden_layers"]), _whole(config["max_position_embeddings"], _LONGEST)
    kv_heads = heads if kv_heads is None else _whole(kv_heads)
    if heads % kv_heads or head_dim % 2 or (family == "llama" and hidden % heads):
        raise ValueError("heads do not fit")
    has_bias = family in ("llama", "qwen3") and bool(config.get("attention_bias", False))
    eps = config.get("rms_norm_eps", 1e-6)
    return Shape(
        architecture=architecture,
        vocabulary=_whole(config["vocab_size"]),
        hidden=hidden,
        inner=_whole(config["intermediate_size"]),
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=_whole(head_dim),
        context=context,
        eps=_real(eps),
        windows=_windows(config, family, layers),
        qkv_bias=has_bias or family == "qwen2",
        out_bias=has_bias,
        head_norm=family == "qwen3",
        tied=bool(config.get("tie_word_embeddings", False)),
        rope=_rope(config, context),
    )


def _whole(value: Any, most: int = _LARGEST) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{value} is no size")
    return value


def _real(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise ValueError(f"{value} is no positive number")
    return float(value)


def _windows(config: Mapping[str, Any], family: str, layers: int) -> tuple[int | None, ...]:
    """The sliding window of each layer, as each family's class reads it."""
    types = config.get("layer_types")
    if types is not None and (len(types) != layers or not set(types) <= LAYER_TYPES):
        raise ValueError("layers are of unknown types")
    if family == "llama":
        return (None,) * layers
    window = config.get("sliding_window", _WINDOW)
    if window is None or (family != "mistral" and not config.get("use_sliding_window", False)):
        return (None,) * layers
    if family == "mistral":
        return (_whole(window),) * layers
    first = config.get("max_window_layers", _FIRST_WINDOW_LAYER)
    if types is None:
        types = ["sliding_attention" if layer >= first else "full_attention" for layer in range(layers)]
    return tuple(_whole(window) if kind == "sliding_attention" else None for kind in types)


def _rope(config: Mapping[str, Any], context: int) -> dict[str, Any]:
    """The parameters as transformers completes them; older files call them ``rope_scaling``."""
    values = dict(config.get("rope_scaling") or config.get("rope_parameters") or {})
    values.setdefault("rope_theta", config.get("rope_theta"))
    values.setdefault("rope_type", values.get("type", "default"))
    _real(values["rope_theta"])
    if values["rope_type"] not in _STATIC_ROPE or values.get("partial_rotary_factor", 1.0) != 1.0:
        raise ValueError("frequencies are of another kind")
    if values["rope_type"] in _SCALED:
        stated = config.get("original_max_position_embeddings")
        values.setdefault("original_max_position_embeddings", context)
        if stated is not None:
            values["original_max_position_embeddings"] = stated
        _real(values["original_max_position_embeddings"])
    _ = values["factor"] if values["rope_type"] != "default" else None
    return values
