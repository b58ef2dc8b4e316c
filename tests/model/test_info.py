"""Laws of what a folder says about its model."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from guiderail.model.errors import ModelFolderError
from guiderail.model.hybrid import attention_layers
from guiderail.model.info import read_config, read_info, weight_files
from tests.helpers.models import HYBRIDS, tiny_model
from tests.helpers.tiny import FAMILIES, tiny_model_folder


@pytest.mark.parametrize("family", FAMILIES)
def test_the_header_counts_the_parameters_that_transformers_loads(family: str, tmp_path: Path) -> None:
    """Without reading a weight, in one file and in shards, tied embeddings once."""
    whole = tiny_model_folder(family, tmp_path / "whole")
    shards = tiny_model_folder(family, tmp_path / "shards", max_shard_size="150KB")
    module = AutoModelForCausalLM.from_pretrained(whole)
    info = read_info(shards, "shards")
    assert len(weight_files(shards)) > 1
    assert info.parameters == read_info(whole, "whole").parameters == module.num_parameters()
    assert info.architecture == type(module).__name__
    assert info.family == FAMILIES[family].model_type
    assert info.context_length == 1024
    assert info.bytes_on_disk == sum(path.stat().st_size for path in shards.iterdir())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cache_width_is_what_the_layers_store_for_one_token(family: str, tmp_path: Path) -> None:
    import torch

    folder = tiny_model_folder(family, tmp_path)
    module = AutoModelForCausalLM.from_pretrained(folder)
    cache = module(torch.tensor([[5]]), use_cache=True).past_key_values
    stored = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert read_info(folder, "x").cache_width == stored


@pytest.mark.parametrize("family", HYBRIDS)
def test_of_a_hybrid_only_attention_counts_and_the_state_is_known(family: str) -> None:
    """Keys and values of the layers that have some, and the state of those that have one, as the loaded model has."""
    model = tiny_model(family)
    width = model.layers * model.kv_heads * (model.head_dim + model.value_dim)
    assert model.info.cache_width == width
    assert 4 * model.info.state_width == model.state_bytes


@pytest.mark.parametrize(
    ("values", "attention"),
    [
        ({"model_type": "qwen3_next", "num_hidden_layers": 12}, 3),
        ({"model_type": "nemotron_h", "hybrid_override_pattern": "M-M*M-"}, 1),
        ({"model_type": "bamba", "num_hidden_layers": 6, "attn_layer_indices": [1, 4]}, 2),
        ({"model_type": "lfm2", "num_hidden_layers": 6, "full_attn_idxs": [2]}, 1),
        ({"model_type": "falcon_h1", "num_hidden_layers": 6}, 6),
        ({"model_type": "llama", "num_hidden_layers": 6}, None),
    ],
)
def test_attention_layers_are_counted_however_a_configuration_tells_them(
    values: dict[str, Any], attention: int | None
) -> None:
    assert attention_layers(values) == attention


@pytest.mark.parametrize("value", ["x" * 3, -1, 1 << 40, None, 2.5])
def test_a_hybrids_sizes_that_are_none_are_refused(value: object, tmp_path: Path) -> None:
    """In one line, and before anything as large is made."""
    folder = tiny_model_folder("granite-4", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"mamba_n_heads": value}))
    with pytest.raises(ModelFolderError, match="damaged"):
        read_info(folder, "x")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_table_is_tied_if_it_is_the_unembedding_too(family: str, tmp_path: Path) -> None:
    """Then it is counted, as the loaded model has it."""
    folder = tiny_model_folder(family, tmp_path / family)
    module: Any = AutoModelForCausalLM.from_pretrained(folder)
    table = module.get_input_embeddings().weight
    tied = table is module.get_output_embeddings().weight
    assert read_info(folder, "x").tied == (table.numel() if tied else 0)


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: mit", "mit"),
        ("tags:\n- code\nlicense: 'apache-2.0'\n", "apache-2.0"),
        ("license: other\nlicense_name: deepseek-license", "deepseek-license"),
        ("tags: []", None),
    ],
)
def test_the_licence_is_what_the_model_card_declares(tmp_path: Path, front: str, licence: str | None) -> None:
    folder = tiny_model_folder("phi", tmp_path, layers=1)
    (folder / "README.md").write_text(f"---\n{front}\n---\n\nlicense: not this one\n")
    assert read_info(folder, "x").licence == licence


def test_a_missing_model_card_is_no_error(tmp_path: Path) -> None:
    folder = tiny_model_folder("phi", tmp_path, layers=1)
    (folder / "README.md").unlink()
    assert read_info(folder, "x").licence is None


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = tiny_model_folder("qwen2", tmp_path, max_shard_size="150KB")
    shard = weight_files(folder)[1]
    shard.unlink()
    with pytest.raises(ModelFolderError, match=shard.name):
        read_info(folder, "x")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny_model_folder("phi", tmp_path, layers=1)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelFolderError, match="pickled"):
        weight_files(folder)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x05\0\0\0\0\0\0\0[1,2]"])
def test_a_damaged_header_is_explained(tmp_path: Path, content: bytes) -> None:
    folder = tiny_model_folder("phi", tmp_path, layers=1)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelFolderError, match="damaged"):
        read_info(folder, "x")


@pytest.mark.parametrize(("content", "words"), [("{", "damaged"), (json.dumps([]), "not a JSON object")])
def test_a_damaged_configuration_is_explained(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelFolderError, match=words):
        read_config(tmp_path)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"no config\.json"):
        read_info(tmp_path, "x")
