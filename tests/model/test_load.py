"""Laws of finding and loading a model."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from guiderail.model import memory, store, threads
from guiderail.model.errors import ModelFolderError
from guiderail.model.load import (
    DeviceError,
    MissingWeightsError,
    UnknownModelError,
    WrongArchitectureError,
    describe,
    load,
    placement,
    resolve,
)
from guiderail.model.matrix import int8_is_possible
from guiderail.model.memory import NotEnoughMemoryError
from guiderail.model.tokenizer import TokenizerError
from tests.helpers.hub import COMMIT, fill_cache
from tests.helpers.tiny import FAMILIES, tiny_model_folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder("guiderail", tmp_path_factory.mktemp("original"))


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(original, tmp_path / "model")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a hub client that is offline."""
    path = tmp_path / "hub"
    path.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(store, "_pin_file", lambda: tmp_path / "pins.json")
    return path


def _change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shard", ["5GB", "150KB"])
def test_every_family_loads_with_the_weights_on_disk(family: str, shard: str, tmp_path: Path) -> None:
    """In one file or in shards, through transformers' own loading; the state is the one that was saved."""
    path = tiny_model_folder(family, tmp_path, max_shard_size=shard)
    model = load(str(path), device="cpu", dtype="float32")
    saved = AutoModelForCausalLM.from_pretrained(path).state_dict()
    ours = model.plain_module().state_dict()
    assert saved.keys() == ours.keys()
    assert all(torch.equal(saved[name], ours[name]) for name in saved)
    assert model.vocab_size == model.tokenizer.vocab_size
    assert not any(model.tokenizer.token_bytes[i] for i in model.tokenizer.eos_ids)  # no bytes: it ends a text


def test_loading_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Progress bars and reports of the libraries beneath would spoil a pipe."""
    load(str(folder), device="cpu")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_precision_is_the_one_asked_for(folder: Path, dtype: str) -> None:
    model = load(str(folder), device="cpu", dtype=dtype)
    assert {parameter.dtype for parameter in model.module.parameters()} == {getattr(torch, dtype)} == {model.dtype}


def test_auto_on_a_cpu_is_float32_for_a_small_model_and_int8_for_a_large_one() -> None:
    large = "int8" if int8_is_possible() else "float32"
    assert [placement("cpu", "auto", size)[1] for size in (11_000_000, 494_000_000)] == ["float32", large]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_clear_error() -> None:
    assert placement("auto", "auto", 0) == ("cpu", "float32")
    with pytest.raises(DeviceError, match="no usable NVIDIA GPU"):
        placement("cuda", "auto", 0)


def test_a_model_is_loaded_with_the_threads_it_may_take(folder: Path) -> None:
    before = threads.allowed()
    try:
        load(str(folder), device="cpu", threads=6)
        assert (threads.allowed(), torch.get_num_threads()) == (6, 3)
        load(str(folder), device="cpu")
        assert threads.allowed() == threads.CORES
    finally:
        threads.allow(before)


def test_a_hub_id_is_found_in_the_cache_with_its_commit(cache: Path, folder: Path) -> None:
    snapshot = fill_cache(cache, "owner/tiny", folder)
    assert resolve("owner/tiny") == resolve(f"owner/tiny@{COMMIT}") == resolve("owner/tiny@main") == snapshot
    info = load("owner/tiny", device="cpu").info
    assert (info.name, info.revision) == ("owner/tiny", COMMIT)
    assert describe("owner/tiny@main").revision == COMMIT


def test_the_pinned_commit_goes_before_the_newest(cache: Path, folder: Path) -> None:
    pinned = fill_cache(cache, "owner/tiny", folder, "a" * 40, main=False)
    newest = fill_cache(cache, "owner/tiny", folder, "b" * 40)
    assert resolve("owner/tiny") == newest
    store.write_pins({"owner/tiny": "a" * 40})
    assert resolve("owner/tiny") == pinned
    assert resolve("owner/tiny@main") == newest


@pytest.mark.parametrize("reference", ["owner/absent", "owner/tiny@v2"])
def test_a_hub_model_that_was_not_pulled_says_how(cache: Path, folder: Path, reference: str) -> None:
    """Nothing is fetched after a person's back."""
    fill_cache(cache, "owner/tiny", folder)
    with pytest.raises(UnknownModelError, match="not on this machine") as error:
        resolve(reference)
    assert error.value.remedy == f"Fetch it: guiderail models pull {reference}"


@pytest.mark.parametrize("reference", ["nothing", "/no/such/folder", "../x y", ""])
def test_an_unknown_name_is_a_clear_error(cache: Path, reference: str) -> None:
    with pytest.raises((UnknownModelError, ModelFolderError)):
        load(reference)


def test_the_embedded_model_is_the_shipped_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", folder)
    assert resolve("embedded") == folder
    assert load("embedded", device="cpu").info.name == "embedded"
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", tmp_path / "absent")
    with pytest.raises(ModelFolderError, match="no embedded model"):
        resolve("embedded")


def test_tensors_that_are_missing_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(MissingWeightsError, match=r"model\.layers\.1\.mlp\.up_proj\.weight"):
        load(str(folder), device="cpu")


def test_a_configuration_that_wants_more_layers_is_refused(folder: Path) -> None:
    """The weights are those of another architecture."""
    _change_config(folder, num_hidden_layers=4, layer_types=["full_attention"] * 4)
    with pytest.raises(MissingWeightsError, match="and 8 more"):
        load(str(folder), device="cpu")


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    _change_config(folder, intermediate_size=64)
    with pytest.raises(MissingWeightsError, match="cannot be loaded"):
        load(str(folder), device="cpu")


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(MissingWeightsError, match=r"cannot be (read|loaded)"):
        load(str(folder), device="cpu")


NO_DECODERS: list[tuple[dict[str, Any], str]] = [
    ({"architectures": None}, "names no architecture"),
    ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "not a decoder"),
    ({"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}, "not a decoder"),
    ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "not a causal language model"),
    ({"architectures": ["OwnForCausalLM"], "model_type": "own", "auto_map": {"AutoModel": "x.Y"}}, "code of its own"),
    ({"quantization_config": {"quant_method": "gptq"}}, r"quantised \(gptq\)"),
]


@pytest.mark.parametrize(("values", "words"), NO_DECODERS)
def test_what_is_no_causal_language_model_is_refused(folder: Path, values: dict[str, Any], words: str) -> None:
    _change_config(folder, **values)
    with pytest.raises(WrongArchitectureError, match=words):
        load(str(folder), device="cpu")


def test_code_beside_the_weights_is_never_run(folder: Path) -> None:
    """Even where the configuration points at it under a type that transformers knows."""
    (folder / "evil.py").write_text("raise SystemExit('code of a model was run')\n")
    _change_config(folder, auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"})
    assert load(str(folder), device="cpu").info.architecture == "Qwen3ForCausalLM"


def test_too_little_memory_is_found_before_anything_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: 1_000_000)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(NotEnoughMemoryError, match=r"needs .* in float32"):
        load(str(folder), device="cpu")


def test_a_model_without_a_fast_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TokenizerError):
        load(str(folder), device="cpu")
