"""The lean forward against transformers' own modules, for every configuration that it claims to know."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from guiderail.cache.buffers import SMALLEST
from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.model.load import load
from guiderail.model.model import Model
from tests.helpers.tiny import tiny_model_folder

PROMPT = [5 + (7 * i) % 290 for i in range(40)]


def rope(**values: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 10000.0, **values}}


LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
SHIPPED = {
    "hidden_size": 384, "head_dim": 64, "intermediate_size": 1024, "num_attention_heads": 4,
    "num_key_value_heads": 2, "tie_word_embeddings": True, "initializer_range": 0.1,
}  # fmt: skip
SLIDING = {
    "use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1,
    "layer_types": ["full_attention", "sliding_attention", "full_attention"],
}  # fmt: skip
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "yarn": ("qwen2", rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)),
    "yarn-attention-factor": (
        "llama", rope(rope_type="yarn", factor=8.0, attention_factor=1.7, original_max_position_embeddings=64)
    ),
    "llama3": ("llama", rope(rope_type="llama3", factor=8.0, **LLAMA3)),
    "linear": ("llama", rope(rope_type="linear", factor=4.0)),
    "wide-heads": ("qwen3", {"head_dim": 32}),
    "narrow-heads": ("mistral", {"head_dim": 8, "sliding_window": None}),
    "shipped-shape": ("guiderail", SHIPPED),
    "attention-bias": ("llama", {"attention_bias": True}),
    "attention-bias-qwen3": ("qwen3", {"attention_bias": True}),
    "tied-qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "sliding-on-some-layers": ("qwen2", SLIDING),
    "sliding-qwen3": ("qwen3", SLIDING),
    "no-groups": ("llama", {"num_key_value_heads": 4}),
}  # fmt: skip


HAS_ONEDNN = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
PACKED = [False, pytest.param(True, marks=HAS_ONEDNN)]


def folder_of(tmp_path: Path, family: str, changes: dict[str, Any]) -> Path:
    return tiny_model_folder(family, tmp_path / "model", edit_config=lambda values: values.update(changes))


def read(folder: Path, dtype: str = "float32") -> Model:
    return load(str(folder), device="cpu", dtype=dtype, threads=1)


def reference_of(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    reference = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=dtype).eval()
    reference.generation_config.eos_token_id = None
    return reference


def stepwise(session: Session, prompt: list[int], rest: list[int]) -> torch.Tensor:
    """Logits after the prompt and after each token fed one by one, [1 + len(rest), vocabulary]."""
    rows = [session.feed(prompt), *(session.feed([token]) for token in rest)]
    return torch.stack([row for row in rows if row is not None])


@torch.inference_mode()
def whole(reference: Any, ids: list[int]) -> torch.Tensor:
    return reference(torch.tensor([ids])).logits[0].float()


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("case", CASES)
def test_logits_and_greedy_tokens_are_those_of_transformers(
    case: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt at once and tokens one by one: fp32 within 1e-5 of the largest logit, and generate's own tokens."""
    monkeypatch.setattr("guiderail.model.model.packing_pays", lambda: packed)
    folder = folder_of(tmp_path, *CASES[case])
    model, reference = read(folder), reference_of(folder)
    assert model._lean is not None
    tokens = reference.generate(
        torch.tensor([PROMPT]), attention_mask=torch.ones(1, len(PROMPT)), max_new_tokens=24, do_sample=False
    )[0, len(PROMPT) :].tolist()
    expected = whole(reference, [*PROMPT, *tokens])[len(PROMPT) - 1 :]
    got = stepwise(Session(model), PROMPT, tokens)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert got[:-1].argmax(-1).tolist() == tokens


def test_growing_buffers_change_nothing(tmp_path: Path) -> None:
    """Past the slots of the first buffers, in the prompt and again while decoding."""
    folder = folder_of(tmp_path, *CASES["shipped-shape"])
    ids = [5 + (11 * i) % 290 for i in range(2 * SMALLEST + 12)]
    expected = whole(reference_of(folder), ids)
    for prompt in (SMALLEST - 4, 2 * SMALLEST - 4):
        stop = prompt + 12
        got = stepwise(Session(read(folder)), ids[:prompt], ids[prompt:stop])
        want = expected[prompt - 1 : stop]
        assert (got - want).abs().max() <= 1e-5 * want.abs().max()


@pytest.mark.parametrize("case", ["shipped-shape", "yarn", "attention-bias"])
def test_bf16_is_no_worse_than_the_modules_own(case: str, tmp_path: Path) -> None:
    """Against fp32, the lean pass errs at most a tenth more than the module does in bf16."""
    folder = folder_of(tmp_path, *CASES[case])
    exact = whole(reference_of(folder), PROMPT)[-1]
    module = whole(reference_of(folder, torch.bfloat16), PROMPT)[-1]
    model = read(folder, "bfloat16")
    assert model._lean is not None
    lean = Session(model).feed(PROMPT)
    assert lean is not None
    assert (lean - exact).norm() <= 1.1 * (module - exact).norm()


DYNAMIC = rope(rope_type="dynamic", factor=2.0)
LONGROPE = rope(
    rope_type="longrope", factor=4.0, original_max_position_embeddings=256, short_factor=[1.0] * 8,
    long_factor=[2.0] * 8,
)  # fmt: skip
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamic": ("llama", DYNAMIC),
    "longrope": ("llama", LONGROPE),
    "mlp-bias": ("llama", {"mlp_bias": True}),
    "other-activation": ("qwen2", {"hidden_act": "gelu"}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_it_does_not_know_takes_the_modules_path(case: str, tmp_path: Path) -> None:
    """And gives the module's logits all the same."""
    folder = folder_of(tmp_path, *OTHERS[case])
    model = read(folder)
    assert model._lean is None
    expected = whole(reference_of(folder), PROMPT)[-1]
    got = Session(model).feed(PROMPT)
    assert got is not None
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def held(value: Any, found: dict[int, int]) -> dict[int, int]:
    """Bytes of every storage that an object's tensors have, by its address; packed blocks by that of the object."""
    if isinstance(value, torch.Tensor):
        is_packed = value.is_mkldnn
        key = id(value) if is_packed else value.untyped_storage().data_ptr()
        found[key] = value.numel() * value.element_size() if is_packed else value.untyped_storage().nbytes()
    elif isinstance(value, list | tuple):
        for one in value:
            held(one, found)
    else:
        names = getattr(value, "__slots__", ()) or getattr(value, "__dict__", ())
        for name in names:
            held(getattr(value, name), found)
    return found


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("case", ["shipped-shape", "no-groups"])
def test_no_weight_is_kept_twice(case: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no module, and the pass holds each weight once, but for a tied table whose unembedding is packed."""
    monkeypatch.setattr("guiderail.model.model.packing_pays", lambda: packed)
    model = read(folder_of(tmp_path, *CASES[case]))
    lean = model._lean
    assert lean is not None
    assert model._module is None and model._built is None
    table = lean.embedding.nbytes if packed and lean.shape.tied else 0
    norms = 8 * lean.shape.layers * 6 * lean.head_dim * 4  # QK-norm's weights, a row a head, and what follows from them
    own = held([lean.layers, lean.unembedding, lean.embedding, lean.final_norm], {})
    weights = 4 * model.info.parameters
    assert weights + table <= sum(own.values()) <= weights + table + norms


@pytest.mark.parametrize("packed", PACKED)
def test_a_table_is_kept_in_the_precision_in_which_it_is_stored(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """float32 has all of bfloat16's numbers: a table that is not the unembedding's own memory stays half as large."""
    monkeypatch.setattr("guiderail.model.model.packing_pays", lambda: packed)
    folder = folder_of(tmp_path, "qwen2", {"tie_word_embeddings": packed})
    path = folder / "model.safetensors"
    save_file({name: tensor.bfloat16() for name, tensor in load_file(path).items()}, path, {"format": "pt"})
    model = read(folder)
    assert model._lean is not None
    assert model._lean.embedding.dtype == torch.bfloat16
    expected = whole(reference_of(folder), PROMPT)[-1]
    got = Session(model).feed(PROMPT)
    assert got is not None
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("case", ["shipped-shape", "sliding-on-some-layers", "attention-bias", "no-groups"])
def test_a_row_alone_is_the_row_among_others(
    case: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree of one node (one row after a mask) and a chain of it and two more: fp32, within 1e-5 of the largest."""
    monkeypatch.setattr("guiderail.model.model.packing_pays", lambda: packed)
    session = Session(read(folder_of(tmp_path, *CASES[case])))
    session.feed(PROMPT)
    alone = session.feed_tree(TokenTree.chain([7]))
    among = session.feed_tree(TokenTree.chain([7, 8, 9]))
    fed = session.feed([7])
    assert fed is not None
    assert (alone[0] - among[0]).abs().max() <= 1e-5 * among[0].abs().max()
    assert torch.equal(alone[0], fed)
