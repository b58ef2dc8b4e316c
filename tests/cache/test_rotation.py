"""Turning keys to other positions, for every way in which models rotate them."""

import pytest
import torch
from torch import nn

from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.cache.rotation import Refusal, Rotation, prove
from guiderail.model.attention import Step
from guiderail.model.load import load
from guiderail.model.matrix import int8_is_possible
from guiderail.model.model import Model
from tests.cache.shapes import EVERY, model_of
from tests.helpers.models import tiny_folder

TOKENS = torch.arange(5, 45)


def keys_at(model: Model, positions: torch.Tensor) -> list[torch.Tensor]:
    """The keys of each layer ([heads, tokens, head_dim]) of the tokens, run at `positions`."""
    shape = CacheShape.of(model)
    buffers, length = KeyValueBuffers(shape, len(TOKENS)), len(TOKENS)
    mask = positions[None] <= positions[:, None]
    step = Step(buffers, slice(0, length), length, mask, query_positions=positions, key_positions=positions)
    model.forward(TOKENS, positions, step)
    return [buffers.read(layer, length)[0].clone() for layer in range(model.layers)]


@pytest.mark.parametrize("name", EVERY)
def test_a_turned_key_is_the_key_computed_there(name: str) -> None:
    """First-layer keys moved by different shifts equal the recomputed ones (fp32: within 1e-5 of the largest)."""
    model = model_of(name)
    rotation = prove(model)
    assert isinstance(rotation, Rotation)
    assert rotation.error < 1e-5
    before = torch.arange(len(TOKENS)) + 60
    shifts = torch.where(before < 80, -37, 11)
    (turned, expected) = rotation.by(shifts)(0, keys_at(model, before)[0]), keys_at(model, before + shifts)[0]
    assert (turned - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "pairing"), [("llama", "half"), ("GLM, interleaved and partial", "interleaved"), ("phi", "half")]
)
def test_the_pairing_is_found(name: str, pairing: str) -> None:
    """The self-test tells half-split from interleaved pairs, and turns only the dimensions that rotate."""
    model = model_of(name)
    rotation = prove(model)
    assert isinstance(rotation, Rotation)
    keys = keys_at(model, torch.arange(len(TOKENS)))[0]
    turned = rotation.by(torch.full_like(TOKENS, 9))(0, keys)
    partial = {"llama": 16, "GLM, interleaved and partial": 8, "phi": 8}[name]
    assert {turn.pairing for turn in rotation.layers if turn} == {pairing}
    assert torch.equal(turned[..., partial:], keys[..., partial:])
    assert not torch.allclose(turned[..., :partial], keys[..., :partial])


def test_layers_have_frequencies_of_their_own() -> None:
    """Layers with other frequencies (Gemma 3), and layers without positions (SmolLM 3), are told apart."""
    gemma, smol = (
        prove(model_of("Gemma 3, frequencies by layer")),
        prove(model_of("SmolLM 3, layers without positions")),
    )
    assert isinstance(gemma, Rotation)
    assert isinstance(smol, Rotation)
    first, second, third = gemma.layers
    assert first is not None and second is not None and third is not None
    assert torch.equal(first.frequencies, third.frequencies)
    assert not torch.equal(first.frequencies, second.frequencies)
    assert [layer is None for layer in smol.layers] == [False, True, False]


class AddsPositions(nn.Module):
    """A model's embedding, with learned absolute positions added to every token (as GPT-2 does)."""

    def __init__(self, tokens: nn.Module, offset: list[int]) -> None:
        super().__init__()
        self.tokens, self.offset = tokens, offset
        self.places = nn.Embedding(1024, tokens.weight.shape[1])  # type: ignore[arg-type]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.tokens(ids) + self.places(torch.arange(ids.shape[-1]) + self.offset[0])


def test_learned_positions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose values depend on the position may not be patched, and the refusal says why."""
    model = model_of("granite")
    offset = [0]
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda ids, at, step: (offset.__setitem__(0, int(at[0])), forward(ids, at, step))[1]
    )
    inner = model.module.model
    kept, inner.embed_tokens = inner.embed_tokens, AddsPositions(inner.embed_tokens, offset)
    try:
        refusal = prove(model)
    finally:
        inner.embed_tokens = kept
    assert isinstance(refusal, Refusal)
    assert "depend on the position" in refusal.reason


def test_an_unknown_rotation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the module's own frequencies do not explain the keys, the self-test fails instead of guessing."""
    model = model_of("granite")
    rotary = model.module.model.rotary_emb
    original = rotary.forward
    monkeypatch.setattr(rotary, "forward", lambda x, position_ids: original(x, position_ids * 2))
    refusal = prove(model)
    assert isinstance(refusal, Refusal)
    assert "no rotation" in refusal.reason


def test_turns_do_not_add_up_errors() -> None:
    """A thousand turns of fp32 keys back to where they began leave them as they were, within 5e-6 of the largest.

    Rounding alone is a random walk of 2e-6; a biased cosine would leave 1.6e-5.
    """
    model = model_of("llama")
    rotation = prove(model)
    assert isinstance(rotation, Rotation)
    keys = start = keys_at(model, torch.arange(len(TOKENS)))[0]
    generator = torch.Generator().manual_seed(3)
    total = torch.zeros_like(TOKENS)
    for _ in range(1000):
        shift = torch.randint(-40, 40, TOKENS.shape, generator=generator)
        keys, total = rotation.by(shift)(0, keys), total + shift
    back = rotation.by(-total)(0, keys)
    assert (back - start).abs().max() <= 5e-6 * start.abs().max()


@pytest.mark.skipif(not int8_is_possible(), reason="this torch has no 8-bit products")
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_eight_bits_are_turned_as_all_bits_are(family: str) -> None:
    """Rounding to 8 bits hides no rotation: the same pairs and frequencies are found in every layer."""
    proved = [
        prove(load(str(tiny_folder(family)), device="cpu", dtype=dtype, threads=1)) for dtype in ("float32", "int8")
    ]
    exact, rounded = proved
    assert isinstance(exact, Rotation)
    assert isinstance(rounded, Rotation)
    assert exact.error < 1e-5
    for one, other in zip(exact.layers, rounded.layers, strict=True):
        assert one is not None and other is not None
        assert one.pairing == other.pairing
        assert torch.equal(one.frequencies, other.frequencies)
