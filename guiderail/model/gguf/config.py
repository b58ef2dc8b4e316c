"""A model's configuration, as transformers wants it, from the metadata of a GGUF file.

transformers has such a table as well. It knows neither Granite nor the first Gemma, and passes over what changes the
result: the scaling of rotary frequencies, the width of a head, soft caps, windows of layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guiderail.model.gguf.file import GgufFile
from guiderail.model.gguf.header import GgufError, damaged

# A file's context length sizes tables of one row a position; no file may make them larger than this.
MOST_POSITIONS = 1 << 18
LONGEST_CONTEXT = 1 << 24
GEMMA3_PATTERN = 6  # every so many layers one sees everything; llama.cpp takes it for granted too


@dataclass(frozen=True, slots=True)
class Family:
    """How one of llama.cpp's architectures is called in transformers.

    Parameters
    ----------
    model_type, architecture
        The configuration's type and the class.
    more
        What its configuration has besides `_common`.
    tied
        Whether its embeddings are always the unembedding too.
    """

    model_type: str
    architecture: str
    more: Callable[[GgufFile], dict[str, Any]]
    tied: bool = False


def configuration(file: GgufFile) -> dict[str, Any]:
    """The values of a ``config.json``.

    Raises
    ------
    GgufError
        If the architecture is not supported, or the metadata contradict themselves or the tensors.
    """
    family = family_of(file)
    values = _common(file) | {"model_type": family.model_type, "architectures": [family.architecture]}
    values["tie_word_embeddings"] = family.tied or "output.weight" not in file.tensors
    return values | family.more(file)


def family_of(file: GgufFile) -> Family:
    """What an architecture is in transformers.

    Raises
    ------
    GgufError
        If it is not supported.
    """
    name = file.architecture
    if name not in FAMILIES or file.number("expert_count", 0):
        what = f"{name} with experts" if name in FAMILIES else name[:40]
        known = ", ".join(sorted(FAMILIES))
        raise GgufError(
            f"{file.paths[0]} is a model of the architecture {what}, which is not supported as a GGUF file",
            f"Choose the model with safetensors weights, or one of {known}",
        )
    return FAMILIES[name]


def context_length(file: GgufFile) -> int:
    """Most tokens that the model was made for."""
    return min(MOST_POSITIONS, max(1, file.number("context_length", 2048, most=LONGEST_CONTEXT)))


def _common(file: GgufFile) -> dict[str, Any]:
    table = file.tensors.get("token_embd.weight")
    if table is None or len(table.shape) != 2:
        raise damaged(file.paths[0], "it has no table of embeddings")
    layers, heads = file.number("block_count"), file.number("attention.head_count")
    if not 1 <= layers <= len(file.tensors) or not 1 <= heads <= table.shape[1]:
        raise damaged(file.paths[0], f"it states {layers} layers and {heads} heads")
    kv_heads = file.number("attention.head_count_kv", heads)
    if not 1 <= kv_heads <= heads or heads % kv_heads:
        raise damaged(file.paths[0], f"it states {heads} heads and {kv_heads} key heads")
    hidden = file.number("embedding_length")
    head_dim = file.number("attention.key_length", hidden // heads, most=1 << 14)
    if hidden != table.shape[1] or head_dim < 2 or head_dim % 2:
        raise damaged(file.paths[0], f"it states a width of {hidden} and heads of {head_dim}")
    return {
        "vocab_size": table.shape[0],
        "hidden_size": hidden,
        "intermediate_size": file.number("feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "max_position_embeddings": context_length(file),
        "rope_parameters": _rope(file),
        **_special_ids(file, table.shape[0]),
    }


def _special_ids(file: GgufFile, size: int) -> dict[str, int | None]:
    """Ids of the configuration that are in the vocabulary."""
    names = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    found = {key: file.header.metadata.get(f"tokenizer.ggml.{name}_token_id") for key, name in names.items()}
    return {key: value if isinstance(value, int) and 0 <= value < size else None for key, value in found.items()}


def _rope(file: GgufFile) -> dict[str, Any]:
    """Rotary frequencies; factors that lie in the file as a tensor are applied to the module (`weights`)."""
    values: dict[str, Any] = {"rope_type": "default", "rope_theta": file.real("rope.freq_base", 10_000.0)}
    kind = file.header.text(f"{file.architecture}.rope.scaling.type", "none")
    if "rope_factors_long.weight" in file.tensors:
        return values | {"rope_type": "longrope"}  # its factors are filled in by `weights.rope_factors`
    if kind in ("none", "") or file.get("rope.scaling.factor") is None:
        return values
    factor = file.real("rope.scaling.factor")
    if kind not in ("linear", "yarn") or factor <= 0:
        raise GgufError(
            f"{file.paths[0]} scales rotary frequencies by the method {kind[:40]} with {factor:g}, which is not known",
            "Choose the model with safetensors weights",
        )
    values |= {"rope_type": kind, "factor": factor}
    return values | (_yarn(file) if kind == "yarn" else {})


def _yarn(file: GgufFile) -> dict[str, Any]:
    values: dict[str, Any] = {"original_max_position_embeddings": _original_length(file)}
    for ours, theirs in (("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow"),
                         ("attention_factor", "attn_factor")):  # fmt: skip
        if file.get(f"rope.scaling.{theirs}") is not None:
            values[ours] = file.real(f"rope.scaling.{theirs}")
    return values


def _original_length(file: GgufFile) -> int:
    return file.number("rope.scaling.original_context_length", context_length(file), most=LONGEST_CONTEXT)


def _rms(file: GgufFile) -> dict[str, Any]:
    return {"rms_norm_eps": file.real("attention.layer_norm_rms_epsilon"), "hidden_act": "silu"}


def _llama(file: GgufFile) -> dict[str, Any]:
    names = file.tensors
    return _rms(file) | {"attention_bias": "blk.0.attn_q.bias" in names, "mlp_bias": "blk.0.ffn_gate.bias" in names}


def _qwen2(file: GgufFile) -> dict[str, Any]:
    return _rms(file) | {"use_sliding_window": False}


def _qwen3(file: GgufFile) -> dict[str, Any]:
    return _qwen2(file) | {"attention_bias": "blk.0.attn_q.bias" in file.tensors}


def _granite(file: GgufFile) -> dict[str, Any]:
    names = {
        "attention_multiplier": ("attention.scale", None),
        "embedding_multiplier": ("embedding_scale", 1.0),
        "residual_multiplier": ("residual_scale", 1.0),
        "logits_scaling": ("logit_scale", 1.0),
    }
    head = file.number("attention.key_length", file.number("embedding_length") // file.number("attention.head_count"))
    values = {ours: file.real(theirs, default or head**-0.5) for ours, (theirs, default) in names.items()}
    return _llama(file) | values


def _gemma(file: GgufFile) -> dict[str, Any]:
    return _rms(file) | {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}


def _query_scale(file: GgufFile, layers_of_largest: int) -> int:
    """The largest Gemma scales its scores by the mean width of a head, the others by a head's own."""
    if file.number("block_count") == layers_of_largest:
        return file.number("embedding_length") // file.number("attention.head_count")
    return file.number("attention.key_length")


def _gemma2(file: GgufFile) -> dict[str, Any]:
    return _gemma(file) | {
        "attn_logit_softcapping": file.real("attn_logit_softcapping", 50.0),
        "final_logit_softcapping": file.real("final_logit_softcapping", 30.0),
        "sliding_window": file.number("attention.sliding_window", 4096),
        "query_pre_attn_scalar": _query_scale(file, 46),
    }


def _gemma3(file: GgufFile) -> dict[str, Any]:
    local = {"rope_type": "default", "rope_theta": file.real("rope.freq_base_swa", 10_000.0)}
    everything = _rope(file) | {"rope_theta": file.real("rope.freq_base", 1_000_000.0)}
    layers = range(1, file.number("block_count") + 1)
    return _gemma(file) | {
        "sliding_window": file.number("attention.sliding_window", 1024),
        "query_pre_attn_scalar": _query_scale(file, 62),
        "layer_types": ["sliding_attention" if n % GEMMA3_PATTERN else "full_attention" for n in layers],
        "rope_parameters": {"full_attention": everything, "sliding_attention": local},
        "final_logit_softcapping": None,
        "attn_logit_softcapping": None,
    }


def _starcoder2(file: GgufFile) -> dict[str, Any]:
    return {
        "norm_epsilon": file.real("attention.layer_norm_epsilon"),
        "hidden_act": "gelu_pytorch_tanh",
        "use_bias": "blk.0.attn_q.bias" in file.tensors,
        "sliding_window": file.number("attention.sliding_window", 0) or None,
    }


def _phi3(file: GgufFile) -> dict[str, Any]:
    head = file.number("attention.key_length", file.number("embedding_length") // file.number("attention.head_count"))
    share = file.number("rope.dimension_count", head) / head
    return _rms(file) | {
        "original_max_position_embeddings": _original_length(file),
        "sliding_window": file.number("attention.sliding_window", 0) or None,
        "rope_parameters": _rope(file) | {"partial_rotary_factor": share},
        "pad_token_id": None,
    }


FAMILIES: dict[str, Family] = {
    "llama": Family("llama", "LlamaForCausalLM", _llama),  # Mistral's models and many others are called so
    "qwen2": Family("qwen2", "Qwen2ForCausalLM", _qwen2),
    "qwen3": Family("qwen3", "Qwen3ForCausalLM", _qwen3),
    "granite": Family("granite", "GraniteForCausalLM", _granite),
    "starcoder2": Family("starcoder2", "Starcoder2ForCausalLM", _starcoder2),
    "phi3": Family("phi3", "Phi3ForCausalLM", _phi3),
    "gemma": Family("gemma", "GemmaForCausalLM", _gemma, tied=True),
    "gemma2": Family("gemma2", "Gemma2ForCausalLM", _gemma2, tied=True),
    "gemma3": Family("gemma3_text", "Gemma3ForCausalLM", _gemma3, tied=True),
}
