"""The configuration under which transformers loads a model of ours."""

from __future__ import annotations

from typing import Any

from training.model import ModelShape
from training.tokenizer import END, PAD


def model_config(shape: ModelShape) -> dict[str, Any]:
    """The configuration of `Qwen3ForCausalLM`."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": shape.vocab,
        "hidden_size": shape.dim,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "rope_theta": shape.rope_theta,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "bos_token_id": None,
        "dtype": "bfloat16",
    }
