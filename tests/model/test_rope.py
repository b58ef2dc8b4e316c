"""Rotary frequencies and configurations, against transformers' own."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from guiderail.model.rope import STATIC_ROPE, frequencies
from guiderail.model.shape import _STATIC_ROPE, ARCHITECTURES, Shape, shape_of

SMALL = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 24, "max_position_embeddings": 4096,
}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
ROPES: dict[str, dict[str, Any]] = {
    "default": {"rope_theta": 10000.0},
    "whole theta": {"rope_theta": 1000000},
    "linear": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 4.0},
    "llama3": {"rope_theta": 500000.0, **LLAMA3, "original_max_position_embeddings": 512},
    "llama3, no first length": {"rope_theta": 500000.0, **LLAMA3},
    "yarn": {"rope_theta": 1e6, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024},
    "yarn, attention": {"rope_theta": 1e4, "rope_type": "yarn", "factor": 8.0, "attention_factor": 1.7},
    "yarn, betas": {
        "rope_theta": 1e4, "rope_type": "yarn", "factor": 16.0, "beta_fast": 24.0, "beta_slow": 2.0,
        "original_max_position_embeddings": 256, "truncate": False,
    },
    "yarn, scales": {
        "rope_theta": 1e4, "rope_type": "yarn", "factor": 40.0, "mscale": 1.0, "mscale_all_dim": 0.7,
        "original_max_position_embeddings": 256,
    },
}  # fmt: skip


def both(family: str, values: dict[str, Any]) -> tuple[Any, Shape | None]:
    """transformers' module without weights, and the shape that is read from the same values."""
    module = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **values))
    return module, shape_of(values | {"model_type": family, "architectures": [ARCHITECTURES[family]]})


@pytest.mark.parametrize("family", ARCHITECTURES)
@pytest.mark.parametrize("name", ROPES)
def test_frequencies_are_those_of_transformers(name: str, family: str) -> None:
    """Bit for bit, with the factor on cos and sin."""
    module, shape = both(family, SMALL | {"rope_parameters": dict(ROPES[name])})
    assert shape is not None
    found, factor = frequencies(shape.rope, shape.head_dim, shape.context)
    assert torch.equal(found, module.model.rotary_emb.inv_freq)
    assert factor == module.model.rotary_emb.attention_scaling


@pytest.mark.parametrize("name", ["linear", "llama3", "yarn"])
def test_the_older_spelling_is_the_same(name: str) -> None:
    """`rope_theta` beside `rope_scaling`, whose type is called `type` in the oldest files."""
    values = dict(ROPES[name])
    theta, kind = values.pop("rope_theta"), values.pop("rope_type")
    module, shape = both("llama", SMALL | {"rope_theta": theta, "rope_scaling": values | {"type": kind}})
    assert shape is not None
    assert torch.equal(frequencies(shape.rope, 24, shape.context)[0], module.model.rotary_emb.inv_freq)


def test_both_modules_know_the_same_kinds() -> None:
    """One of them does without torch."""
    assert STATIC_ROPE == _STATIC_ROPE


WINDOW = {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "biases": {"attention_bias": True},
    "tied": {"tie_word_embeddings": True},
    "windows": WINDOW,
    "windows by layer": WINDOW | {"layer_types": ["sliding_attention", "full_attention", "full_attention"]},
    "window unused": WINDOW | {"use_sliding_window": False},
    "no window": {"sliding_window": None},
    "heads alone": {"num_key_value_heads": 4},
}


@pytest.mark.parametrize("family", ARCHITECTURES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_shape_has_the_tensors_and_windows_of_the_module(change: str, family: str) -> None:
    """Names, sizes, and each layer's window and scale."""
    module, shape = both(family, SMALL | {"rope_parameters": {"rope_theta": 1e4}} | CHANGES[change])
    assert shape is not None
    assert shape.tensors() == {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
    layers = [layer.self_attn for layer in module.model.layers]
    if family == "mistral":
        assert set(shape.windows) == {module.config.sliding_window}
    else:
        assert shape.windows == tuple(getattr(layer, "sliding_window", None) for layer in layers)
    assert {layer.scaling for layer in layers} == {shape.head_dim**-0.5}
    assert shape.eps == module.model.norm.variance_epsilon


@pytest.mark.parametrize("family", ARCHITECTURES)
@pytest.mark.parametrize(
    "left_out",
    ["hidden_act", "rms_norm_eps", "attention_bias", "tie_word_embeddings", "head_dim", "num_key_value_heads",
     "sliding_window", "max_window_layers", "use_sliding_window", "layer_types"],
)  # fmt: skip
def test_what_is_left_out_has_transformers_default_or_no_shape(left_out: str, family: str) -> None:
    """A configuration with everything that its class writes, but one value."""
    values = AutoConfig.for_model(family, **SMALL | {"rope_parameters": {"rope_theta": 1e4}}).to_dict()
    values = {key: value for key, value in values.items() if key not in {left_out, "model_type", "architectures"}}
    module, shape = both(family, values)
    if shape is None:
        assert left_out in {"head_dim", "num_key_value_heads"}
    else:
        assert shape.tensors() == {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
        assert shape.eps == module.model.norm.variance_epsilon


STRANGE: list[dict[str, Any]] = [
    {"hidden_act": "gelu"}, {"mlp_bias": True}, {"layer_types": ["full_attention"]}, {"layer_types": ["x"] * 3},
    {"partial_rotary_factor": 0.5}, {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}},
    {"rope_parameters": {"rope_theta": 1e4, "rope_type": "dynamic", "factor": 2.0}}, {"rope_parameters": {}},
    {"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, {"quantization_config": {"quant_method": "gptq"}},
    {"num_hidden_layers": -1}, {"num_hidden_layers": "3"}, {"hidden_size": True}, {"num_key_value_heads": 3},
    {"head_dim": 7}, {"max_position_embeddings": 1 << 40}, {"rms_norm_eps": float("nan")},
    {"rope_parameters": {"rope_theta": "x"}}, {"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear"}},
    {"vocab_size": None}, {"architectures": []}, {"architectures": ["Qwen2ForSequenceClassification"]},
]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE, ids=str)
def test_what_is_not_surely_understood_has_no_shape(change: dict[str, Any]) -> None:
    """It is transformers' part to run it, or to say what is wrong with it."""
    values = SMALL | {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "rope_theta": 1e4}
    assert shape_of(values) is not None
    stripped = {key: value for key, value in values.items() if key != "rope_theta" or "rope_parameters" not in change}
    assert shape_of(stripped | change) is None
