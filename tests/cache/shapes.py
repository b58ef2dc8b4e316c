"""Tiny random models of the architectures and rotary variants that no family of `tests.helpers` has."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from guiderail.model.attention import register
from guiderail.model.info import ModelInfo
from guiderail.model.model import Model
from tests.helpers.models import FAMILIES, tiny_model

_SMALL = {
    "vocab_size": 400, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 1024, "initializer_range": 0.12,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_THETA = {"rope_theta": 10000.0}
_HALF = [1.0 + 0.1 * i for i in range(8)]
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama3 RoPE": ("llama", {"rope_parameters": {
        **_THETA, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 128}}),
    "YaRN": ("llama", {"rope_parameters": {
        **_THETA, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}}),
    "dynamic NTK": ("llama", {"max_position_embeddings": 256, "rope_parameters": {
        **_THETA, "rope_type": "dynamic", "factor": 2.0}}),
    "longrope": ("phi3", {"original_max_position_embeddings": 256, "rope_parameters": {
        **_THETA, "rope_type": "longrope", "short_factor": _HALF, "long_factor": [4 * f for f in _HALF],
        "original_max_position_embeddings": 256}}),
    "GLM, interleaved and partial": ("glm", {"attention_bias": True}),
    "GLM 4": ("glm4", {"attention_bias": True}),
    "Cohere, interleaved": ("cohere", {}),
    "Gemma 3, frequencies by layer": ("gemma3_text", {
        "sliding_window": 32, "query_pre_attn_scalar": 16, "layer_types": [
            "sliding_attention", "full_attention", "sliding_attention"]}),
    "SmolLM 3, layers without positions": ("smollm3", {"no_rope_layers": [1, 0, 1]}),
}  # fmt: skip
# Run exactly, with prefix reuse alone: what keeps their keys from being moved.
_GPT = {"vocab_size": 400, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 1024}
_MLA = {
    "q_lora_rank": None, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 12,
    "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "first_k_dense_replace": 3,
    "num_key_value_heads": 4,
}  # fmt: skip
UNMOVABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2, learned positions": ("gpt2", _GPT),
    "GPT-BigCode, learned positions, one kv head": ("gpt_bigcode", {**_GPT, "multi_query": True}),
    "OPT, learned positions": ("opt", {"ffn_dim": 96, "word_embed_proj_dim": 64}),
    "GPT-J, computed interleaved": ("gptj", {**_GPT, "rotary_dim": 8}),
    "DeepSeek-V2, latent attention": ("deepseek_v2", _MLA),
}
# Keys and values never reach our attention function: refused when they are loaded.
UNSUPPORTED: dict[str, tuple[str, dict[str, Any]]] = {
    "BLOOM, ALiBi": ("bloom", {"n_layer": 3, "n_head": 4}),
    "MPT, ALiBi": ("mpt", {"d_model": 64, "n_layers": 3, "n_heads": 4, "max_seq_len": 1024}),
    "Mamba, recurrent": ("mamba", {}),
    "RWKV, recurrent": ("rwkv", {}),
}
LENGTH_DEPENDENT = ("dynamic NTK", "longrope")
EVERY = (*FAMILIES, *VARIANTS)


@cache
def model_of(name: str) -> Model:
    """The tiny model of a family or a variant, on the CPU in fp32."""
    if name in FAMILIES:
        return tiny_model(name)
    kind, values = (VARIANTS | UNMOVABLE | UNSUPPORTED)[name]
    config = AutoConfig.for_model(kind, **_SMALL | values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = AutoModelForCausalLM.from_config(config, attn_implementation=register(), dtype=torch.float32)
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    info = ModelInfo(
        name=name,
        folder=Path(),
        revision=None,
        family=kind,
        parameters=sum(p.numel() for p in module.parameters()),
        bytes_on_disk=0,
        licence=None,
        context_length=1024,
        fim=None,
        architecture=type(module).__name__,
        cache_width=0,
    )
    return Model(module, None, info, torch.device("cpu"), torch.float32)  # type: ignore[arg-type]  # ids only
