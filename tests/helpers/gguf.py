"""Writes a folder in the hub's layout as a GGUF file, as llama.cpp's converter does.

The conventions are the converter's (conversion/*.py of ggml-org/llama.cpp): the rows of Llama's query and key
projections are reordered for interleaved rotary pairs, Gemma's norms have one added, Phi-3's fused projections stay
fused, scaling factors of rotary frequencies become tensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

from guiderail.benchmarks.llama_cpp import _write_stand_in
from guiderail.model.tokenizer import Tokenizer
from tests.helpers.tiny import GPT2_REGEX, QWEN2_REGEX

ARCHITECTURES = {
    "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma": "gemma", "gemma2": "gemma2",
    "gemma3_text": "gemma3", "starcoder2": "starcoder2", "granite": "granite", "phi3": "phi3",
}  # fmt: skip
PERMUTED = ("llama", "granite")
Edit = Callable[[gguf.GGUFWriter], object]


def write_gguf(
    folder: Path,
    path: Path,
    kind: Kind = Kind.F32,
    *,
    pre: str | None = None,
    edit: Edit | None = None,
    split: int = 0,
    vocabulary: bool = True,
) -> Path:
    """Write the model of `folder` to `path`.

    Parameters
    ----------
    kind
        Type of the matrices whose rows are long enough; the others and all vectors stay float32.
    pre
        llama.cpp's name of the pre-tokenizer; by default that of the splits in ``tokenizer.json``.
    edit
        Called with the writer before anything is written.
    split
        Tensors a shard, 0 for a single file.
    vocabulary
        Whether the file has the model's own vocabulary; otherwise one of made-up words.
    """
    from transformers import AutoModelForCausalLM

    module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = module.config
    architecture = ARCHITECTURES[config.model_type]
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=split)
    _write_config(writer, config, architecture)
    if vocabulary:
        write_vocabulary(writer, folder, config, pre)
    else:
        _write_stand_in(writer, config.vocab_size)
    if edit:
        edit(writer)
    for name, array in tensors(module, architecture):
        _add(writer, name, array, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors(module: Any, architecture: str) -> list[tuple[str, np.ndarray]]:
    """What the converter makes of a module's parameters, by llama.cpp's names."""
    config = module.config
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    found = []
    for name, parameter in module.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        ours = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert ours, name
        value = parameter.detach().float()
        if architecture in PERMUTED and name.split(".")[-2] in ("q_proj", "k_proj"):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            value = (
                value.reshape(heads, 2, len(value) // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
            )
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            value = value + 1
        found.append((ours, value.numpy().copy()))
    return found + _rope_tensors(config)


def _rope_tensors(config: Any) -> list[tuple[str, np.ndarray]]:
    rope = config.rope_parameters
    if rope.get("rope_type") == "longrope":
        return [
            (f"rope_factors_{kind}.weight", np.array(rope[f"{kind}_factor"], np.float32)) for kind in ("long", "short")
        ]
    if rope.get("rope_type") != "llama3":
        return []
    dim = config.head_dim
    freqs = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float32) / dim)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    original, factor, factors = rope["original_max_position_embeddings"], rope["factor"], []
    for freq in freqs:
        length = 2 * np.pi / freq
        if length < original / high:
            factors.append(1.0)
        elif length > original / low:
            factors.append(factor)
        else:
            smooth = (original / length - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return [("rope_freqs.weight", np.array(factors, np.float32))]


def _add(writer: gguf.GGUFWriter, name: str, array: np.ndarray, kind: Kind) -> None:
    if array.ndim == 1 or kind == Kind.F32 or array.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        writer.add_tensor(name, array)
    else:
        writer.add_tensor(name, quantised(array, kind), raw_dtype=kind)


def quantised(array: np.ndarray, kind: Kind) -> np.ndarray:
    """Blocks of `kind`: of these numbers where the package can quantise, otherwise of random bits of their size."""
    try:
        return gguf.quantize(array, kind)
    except NotImplementedError:
        return _random_blocks(array, kind)


def _random_blocks(array: np.ndarray, kind: Kind) -> np.ndarray:
    """Random bits; half-precision numbers that scale a block are small and finite."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    random = np.random.default_rng(array.size)
    blocks = random.integers(0, 256, (array.size // block, size), dtype=np.uint8)
    scale = np.array([0.004], np.float16).view(np.uint8)
    for place in {Kind.Q3_K: (108,), Kind.Q6_K: (208,), Kind.Q2_K: (80, 82), Kind.Q4_K: (0, 2), Kind.Q5_K: (0, 2)}.get(
        kind, (0,)
    ):
        blocks[:, place : place + 2] = scale
    return blocks.reshape(*array.shape[:-1], -1)


def _write_config(writer: gguf.GGUFWriter, config: Any, architecture: str) -> None:
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if architecture == "starcoder2":
        writer.add_layer_norm_eps(config.norm_epsilon)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture in ("llama", "granite", "phi3"):
        writer.add_rope_dimension_count(head_dim)
        writer.add_vocab_size(config.vocab_size)
    if architecture in ("qwen3", "gemma", "gemma2", "gemma3", "llama"):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    _write_rope(writer, config, architecture)
    _write_extras(writer, config, architecture)


def _write_rope(writer: gguf.GGUFWriter, config: Any, architecture: str) -> None:
    rope = config.rope_parameters
    if architecture == "gemma3":
        writer.add_rope_freq_base(rope["full_attention"]["rope_theta"])
        return
    if architecture not in ("gemma", "gemma2"):
        writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if rope["rope_type"] == "longrope":
        original = config.original_max_position_embeddings
        scale = config.max_position_embeddings / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)))


def _write_extras(writer: gguf.GGUFWriter, config: Any, architecture: str) -> None:
    if architecture == "granite":
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if architecture in ("gemma2", "gemma3"):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "phi3":
        writer.add_sliding_window(config.sliding_window or 0)


def write_vocabulary(writer: gguf.GGUFWriter, folder: Path, config: Any, pre: str | None = None) -> None:
    """The vocabulary of ``tokenizer.json``, padded to the rows of the table of embeddings."""
    described = json.loads((folder / "tokenizer.json").read_text())
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    model, added = described["model"], {token["id"]: token for token in described["added_tokens"]}
    names = {index: name for name, index in model["vocab"].items()} | {i: t["content"] for i, t in added.items()}
    tokens = [names.get(index, f"[PAD{index}]") for index in range(config.vocab_size)]
    types = [_type(index, names, added) for index in range(config.vocab_size)]
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores(_scores(tokens, model["merges"]))
        writer.add_add_space_prefix(any(s["type"] == "Prepend" for s in described["normalizer"]["normalizers"]))
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre or _pre(described))
        writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    ids = {name: index for index, name in names.items()}
    writer.add_add_bos_token(Tokenizer.from_folder(folder).bos_id is not None)
    for key in ("bos", "eos"):
        if settings.get(f"{key}_token"):
            getattr(writer, f"add_{key}_token_id")(ids[settings[f"{key}_token"]])


def _type(index: int, names: dict[int, str], added: dict[int, Any]) -> int:
    if index not in names:
        return gguf.TokenType.UNUSED
    if index in added:
        special = added[index]["special"]
        unknown = names[index] == "<unk>"
        return gguf.TokenType.UNKNOWN if unknown else gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
    return gguf.TokenType.BYTE if names[index].startswith("<0x") else gguf.TokenType.NORMAL


def _scores(tokens: list[str], merges: list[Any]) -> list[float]:
    """SentencePiece's scores: the earlier a piece is merged, the higher."""
    rank = {}
    for number, merge in enumerate(merges):
        rank.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), -float(number + 1))
    return [rank.get(token, -1e6) for token in tokens]


def _pre(described: dict[str, Any]) -> str:
    splits = [s["pattern"]["Regex"] for s in described["pre_tokenizer"]["pretokenizers"] if s["type"] == "Split"]
    return {(GPT2_REGEX,): "gpt-2", (QWEN2_REGEX,): "qwen2"}[tuple(splits)]
