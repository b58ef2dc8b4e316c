"""One loaded model: what it says of itself, and its forward pass."""

import copy

import pytest
import torch
from transformers import AutoModelForCausalLM

from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.model.attention import Step
from guiderail.model.model import Model, UnsupportedArchitectureError
from tests.cache.shapes import UNSUPPORTED, model_of
from tests.helpers.models import FAMILIES, tiny_model

IDS = torch.arange(5, 25)


def buffers_of(model: Model) -> KeyValueBuffers:
    return KeyValueBuffers(CacheShape.of(model))


def forward(model: Model, *, last: bool) -> torch.Tensor:
    positions = torch.arange(len(IDS))
    step = Step(buffers_of(model), slice(0, len(IDS)), len(IDS), None, positions, positions)
    return model.forward(IDS, positions, step, last=last)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shape_of_the_cache_is_that_of_the_keys(family: str) -> None:
    """Layers, heads and their width are those that transformers' own cache has."""
    model = tiny_model(family)
    reference = AutoModelForCausalLM.from_pretrained(model.info.folder, attn_implementation="eager")
    with torch.inference_mode():
        cache = reference(IDS[None], use_cache=True).past_key_values
    keys = [layer.keys for layer in cache.layers]
    assert len(keys) == model.layers
    assert {(key.shape[1], key.shape[3]) for key in keys} == {(model.kv_heads, model.head_dim)}
    assert model.vocab_size == reference.lm_head.weight.shape[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_all_logits_are_transformers_and_the_last_is_their_last(family: str) -> None:
    """fp32, within 1e-5 of the largest."""
    model = tiny_model(family)
    reference = AutoModelForCausalLM.from_pretrained(model.info.folder, attn_implementation="eager").eval()
    with torch.inference_mode():
        expected = reference(IDS[None]).logits[0]
    got = forward(model, last=False)
    assert got.dtype == torch.float32 and got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
    last = forward(model, last=True)
    assert last.shape == (1, model.vocab_size)
    assert (last[0] - expected[-1]).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("family", ["mistral", "starcoder2", "gemma2"])
def test_sliding_layers_are_noticed(family: str) -> None:
    assert tiny_model(family).has_sliding_layers
    assert not tiny_model("qwen3").has_sliding_layers


def rebuilt(**config: object) -> Model:
    """The tiny model again, with other values in its configuration."""
    model = tiny_model("qwen3")
    module = model.plain_module()
    module.config = copy.deepcopy(module.config)
    for name, value in config.items():
        setattr(module.config, name, value)
    return Model(module, model.tokenizer, model.info, model.device, model.dtype)


def test_layers_that_keep_something_else_are_refused() -> None:
    """By name, with a way out."""
    with pytest.raises(UnsupportedArchitectureError, match="linear_attention") as caught:
        rebuilt(layer_types=["full_attention", "linear_attention", "full_attention"])
    assert caught.value.remedy


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_architectures_that_pass_our_attention_by_are_refused(name: str) -> None:
    """ALiBi and recurrent layers never give their keys and values to the attention function: no silent wrong answer."""
    with pytest.raises(UnsupportedArchitectureError, match=r"does not run through|cannot be cached") as caught:
        model_of(name)
    assert caught.value.remedy


def test_another_attention_function_is_refused() -> None:
    """Its keys and values would never reach the cache."""
    with pytest.raises(UnsupportedArchitectureError, match="does not run through"):
        rebuilt(_attn_implementation="sdpa")
