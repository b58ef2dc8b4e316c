"""Models with recurrent layers as they are loaded; `tests/cache/test_hybrids.py` has what their cache does."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, Qwen3_5Config, Qwen3_5ForConditionalGeneration

from guiderail.cache.live import LiveCache
from guiderail.model import memory
from guiderail.model.hybrid import HYBRIDS, OTHER_RECURRENT
from guiderail.model.load import WrongArchitectureError, check_architecture, load
from guiderail.model.model import Model, UnsupportedArchitectureError
from tests.helpers.models import tiny_folder, tiny_model
from tests.helpers.tiny import tiny_model_folder

IDS = [5 + (i * i * 7 + i) % 290 for i in range(60)]


def scores(model: Model, ids: list[int]) -> torch.Tensor:
    """Encoded in passes that end at checkpoints, then token by token."""
    cache = LiveCache(model)
    cache.fit(ids[:-4])
    *_, logits = (cache.feed([token]) for token in ids[-4:])
    assert logits is not None
    return logits


@pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.1), ("int8", 0.2)])
def test_other_precisions_are_near(dtype: str, most: float) -> None:
    """Of each kind of layer; in 8 bit the linear layers within it are quantised too."""
    for name in ("qwen3.5", "granite-4", "lfm2"):
        expected = scores(tiny_model(name), IDS)
        got = scores(load(str(tiny_folder(name)), device="cpu", dtype=dtype, threads=1), IDS)
        assert (got - expected).norm() <= most * expected.norm()


def test_the_text_model_of_one_that_reads_images_too_runs(tmp_path: Path) -> None:
    """Qwen3.5 as the hub has it: its text is scored as the whole model does."""
    folder = tiny_model_folder("qwen3.5", tmp_path)
    text = AutoConfig.from_pretrained(folder).to_dict()
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        whole = Qwen3_5ForConditionalGeneration(Qwen3_5Config(text_config=text, vision_config=vision)).eval()
    whole.save_pretrained(folder)
    with torch.inference_mode():
        expected = whole(input_ids=torch.tensor([IDS])).logits[0, -1]
    model = load(str(folder), device="cpu", dtype="float32", threads=1)
    assert 4 * model.info.state_width == model.state_bytes
    assert (scores(model, IDS) - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("kind", sorted(OTHER_RECURRENT))
def test_recurrent_layers_of_other_kinds_are_refused_in_a_line(kind: str) -> None:
    """Before a weight is read, naming the families that run."""
    with pytest.raises(WrongArchitectureError, match="recurrent layers do not run here") as caught:
        check_architecture({"model_type": kind, "architectures": ["XForCausalLM"]}, "x")
    assert caught.value.remedy and all(name in caught.value.remedy for name in HYBRIDS.values())


def test_a_hybrid_whose_positions_stretch_is_refused(tmp_path: Path) -> None:
    """Its frequencies depend on the length, and a state cannot follow them."""

    def stretch(values: dict[str, Any]) -> None:
        values["rope_parameters"] = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}

    folder = tiny_model_folder("qwen3-next", tmp_path, edit_config=stretch)
    with pytest.raises(UnsupportedArchitectureError, match="recurrent layers and frequencies"):
        load(str(folder), device="cpu", dtype="float32", threads=1)


@pytest.mark.parametrize("function", ["mamba2_chunk_scan", "causal_conv1d_fn"])
def test_a_layer_that_computes_in_an_unknown_way_is_refused(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """As after a change in transformers: a tree would be wrong, so the model is not run at all."""
    from transformers.models.bamba import modeling_bamba

    tiny_model("bamba")
    monkeypatch.setattr("guiderail.model.recurrent_tree._FUNCTIONS", {})
    monkeypatch.setattr(modeling_bamba, function, getattr(modeling_bamba, function).__wrapped__)
    with pytest.raises(UnsupportedArchitectureError, match="in an unknown way"):
        load(str(tiny_folder("bamba")), device="cpu", dtype="float32", threads=1)


def test_memory_counts_the_checkpoints() -> None:
    info = tiny_model("granite-4").info
    config = json.loads((info.folder / "config.json").read_text())
    assert config["layer_types"].count("linear_attention") == 2 or config["layer_types"].count("mamba") == 2
    numbers = info.parameters + info.cache_width * info.context_length
    assert memory.needed(info, "float32") >= 4 * numbers + 32 * 4 * info.state_width


def test_transformers_itself_is_left_as_it_was() -> None:
    """Outside our passes its layers call its own functions: a module of its own scores as before."""
    reference = AutoModelForCausalLM.from_pretrained(tiny_folder("qwen3.5"), attn_implementation="eager").eval()
    with torch.inference_mode():
        before = reference(torch.tensor([IDS])).logits
        tiny_model("qwen3.5")
        assert torch.equal(reference(torch.tensor([IDS])).logits, before)
