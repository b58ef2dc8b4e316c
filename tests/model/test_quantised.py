"""8-bit models: they compute what a float32 model with the rounded weights does, up to the rounding of activations."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.model.load import DeviceError, load
from guiderail.model.matrix import Int8, UnsupportedPrecisionError, _rounded, int8_is_possible
from guiderail.model.model import Model
from tests.helpers.tiny import tiny_model_folder

pytestmark = pytest.mark.skipif(not int8_is_possible(), reason="this torch has no FBGEMM")
FAMILIES = ["guiderail", "qwen2", "llama", "mistral", "starcoder2", "gemma2", "granite", "phi"]
PROMPT = [5 + (7 * i) % 290 for i in range(40)]


def read(family: str, tmp_path: Path) -> Model:
    return load(str(tiny_model_folder(family, tmp_path / "model")), device="cpu", dtype="int8", threads=1)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_logits_are_near_those_of_the_rounded_weights(family: str, tmp_path: Path) -> None:
    """The plain module has the rounded weights in float32: what is left between the two is activations' rounding."""
    model = read(family, tmp_path)
    got = Session(model).feed(PROMPT)
    reference = model.plain_module()
    reference.config._attn_implementation = "eager"
    expected = reference(torch.tensor([PROMPT])).logits[0, -1].float()
    assert got is not None
    assert torch.nn.functional.cosine_similarity(got, expected, dim=0) > 0.99


@pytest.mark.parametrize("family", ["guiderail", "starcoder2"])
@torch.inference_mode()
def test_steps_and_one_pass_differ_less_than_the_precision_costs(family: str, tmp_path: Path) -> None:
    """Products give a row the same bits among any others; attention does not, and may flip a rounding."""
    model = read(family, tmp_path)
    steps, tree = Session(model), Session(model)
    alone = [steps.feed([token]) for token in PROMPT[:8]][-1]
    tree.feed(PROMPT[:7])
    branches = tree.feed_tree(_pair(PROMPT[7], 9))
    reference = model.plain_module()
    reference.config._attn_implementation = "eager"
    exact = reference(torch.tensor([PROMPT[:8]])).logits[0, -1].float()
    assert alone is not None
    cost = (alone - exact).norm()
    assert (branches[0] - alone).norm() <= 2 * cost


def test_a_quantised_module_keeps_no_other_weights(tmp_path: Path) -> None:
    """Its projections' float weights are gone."""
    model = read("granite", tmp_path)
    left = [m.weight.numel() for m in model.module.model.layers.modules() if isinstance(m, torch.nn.Linear)]
    assert not any(left)
    assert model.dtype == torch.float32
    assert model.precision == "int8"


def test_a_quantised_lean_model_has_its_table_in_16_bit_and_its_matrices_in_8(tmp_path: Path) -> None:
    """And everything that is added or multiplied by element in float32."""
    lean = read("guiderail", tmp_path)._lean
    assert lean is not None
    assert lean.embedding.dtype == torch.bfloat16
    for layer in lean.layers:
        assert all(isinstance(m, Int8) for m in (layer.qkv, layer.out, layer.gate_up, layer.down))
        assert layer.input_norm.dtype == layer.post_norm.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("shape", "levels"), [((3, 5), 63), ((700, 896), 127), ((1, 300_000), 127)])
def test_rounding_in_pieces_is_rounding_at_once(shape: tuple[int, int], levels: int, dtype: torch.dtype) -> None:
    """Half a level off at most, the largest of each row exact, and the weights themselves are left alone."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    weight[-1] = 0
    before = weight.clone()
    integers, scales = _rounded(weight, levels)
    assert torch.equal(weight, before)
    assert torch.equal(scales, weight.float().abs().amax(1).clamp_min(1e-20) / levels)
    assert torch.equal(integers.float(), (weight.float() / scales[:, None]).round())


def test_threads_that_pack_leave_the_engine_as_it_was() -> None:
    """torch has one engine for all threads, and what weights are packed for follows from it."""
    engine, weight = torch.backends.quantized.engine, torch.randn(64, 32)
    with ThreadPoolExecutor(4) as pool:
        matrices = list(pool.map(lambda _: Int8(weight), range(60)))
    assert torch.backends.quantized.engine == engine
    x = torch.randn(2, 32)
    assert all(torch.equal(matrix(x), matrices[0](x)) for matrix in matrices)


def test_int8_is_refused_off_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    folder = tiny_model_folder("guiderail", tmp_path / "model")
    with pytest.raises((UnsupportedPrecisionError, DeviceError), match=r"--dtype bfloat16"):
        load(str(folder), device="cuda", dtype="int8")


def _pair(first: int, second: int) -> TokenTree:
    tree = TokenTree()
    tree.add(first)
    tree.add(second)
    return tree
