from __future__ import annotations

import json

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

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
    (folder / "model.safetensors").unlink()
    masters = trainer.optimizer.masters
    names = write_weights({name: tensor.bfloat16() for name, tensor in masters.items()}, folder, limit=20_000)
    assert len(names) > 1 and all((folder / name).stat().st_size < 40_000 for name in names)
    parts = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
