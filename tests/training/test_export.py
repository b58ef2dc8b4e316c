from __future__ import annotations

import json
from dataclasses import replace

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from guiderail.model.checksums import SUMS, compare, digests
from training.export import export, write_weights
from training.recipe import Recipe
from training.tokenizer import END
from training.train import Trainer


def test_transformers_loads_the_export_and_agrees(recipe: Recipe, tokenizer: Tokenizer):
    """Configuration, weights and tokenizer load without custom code, and the logits are those we trained."""
    trainer = Trainer(recipe, tokenizer)
    trainer.fit()
    folder = export(recipe)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = "def decode(self):\n    return self."
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)(text)["input_ids"]])
    assert ids[0].tolist() == tokenizer.encode(text).ids
    for parameter in trainer.model.parameters():  # exports are rounded to bf16
        parameter.data = parameter.data.bfloat16().float()
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, trainer.model.logits(ids), atol=1e-4)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert model.config.eos_token_id == END and model.config.tie_word_embeddings
    assert json.loads((folder / "config.json").read_text())["max_position_embeddings"] == 128


def test_large_weights_are_cut_into_shards(recipe: Recipe, tokenizer: Tokenizer):
    """Above the limit there are several files and an index, and transformers loads them as one."""
    trainer = Trainer(recipe, tokenizer)
    trainer.save()
    folder = export(recipe)
    whole = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    masters = trainer.optimizer.masters
    names = write_weights({name: tensor.bfloat16() for name, tensor in masters.items()}, folder, limit=20_000)
    assert len(names) > 1 and all((folder / name).stat().st_size < 40_000 for name in names)
    parts = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_an_export_leaves_nothing_of_the_one_before(recipe: Recipe, tokenizer: Tokenizer):
    """Whole over shards and shards over whole: one set of weights, and a list that names every file's bytes."""
    Trainer(recipe, tokenizer).save()
    folder = export(replace(recipe, shard_mib=0.02))
    assert not (folder / "model.safetensors").exists()
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert export(recipe) == folder
    assert [path.name for path in folder.glob("model*")] == ["model.safetensors"]
    (folder / "MODEL_CARD.md").write_text("# A card\n")
    export(replace(recipe, shard_mib=0.02))
    assert not (folder / "model.safetensors").exists()
    wanted = digests(folder)
    assert set(wanted) == {path.name for path in folder.iterdir()} - {SUMS}
    assert compare(folder, wanted, limit=1e9).broken == ()
