from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from training.device import pick_dtype
from training.model import MARK, CompletionModel, ModelShape
from training.plot import read_log
from training.recipe import Recipe, load_recipe, parse_recipe
from training.train import COOL_DOWN, STOP, Trainer

MIXTURE = {"fim": 0.5, "bare": 0.25, "psm": 0.35, "spm": 0.45, "efim": 0.2}
RECIPES = Path(__file__).parents[2] / "training" / "recipes"


def losses(trainer: Trainer) -> list[float]:
    return [record["loss"] for record in read_log(trainer.folder) if "loss" in record]


def renamed(recipe: Recipe, name: str) -> Recipe:
    return replace(recipe, name=f"{recipe.name}-{name}")


def test_a_killed_run_goes_on_bit_for_bit(recipe: Recipe, tokenizer: Tokenizer):
    """After a checkpoint and a new process's resume, losses and weights equal those of an unbroken run."""
    whole = Trainer(renamed(recipe, "whole"), tokenizer)
    assert whole.fit()
    broken = Trainer(renamed(recipe, "broken"), tokenizer)
    for _ in range(3):
        broken.log({"step": broken.step + 1, **{k: float(v) for k, v in broken.train_step().items()}})
    broken.save()
    broken.train_step()  # lost with the process
    resumed = Trainer(renamed(recipe, "broken"), tokenizer)
    assert resumed.resume() and resumed.step == 3
    assert resumed.fit()
    assert losses(whole)[3:] == losses(resumed)[3:] and len(losses(whole)) > 6
    weights = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in weights)


def test_training_learns(recipe: Recipe, tokenizer: Tokenizer):
    """The validation figure falls well below that of the untrained model."""
    longer = replace(recipe, run=replace(recipe.run, total_tokens=16_000))
    trainer = Trainer(longer, tokenizer)
    before = trainer.evaluate()
    assert trainer.fit()
    assert trainer.evaluate() < 0.9 * before


def test_a_stop_file_pauses_and_a_limit_does(recipe: Recipe, tokenizer: Tokenizer):
    """A paused run leaves a checkpoint to go on from."""
    trainer = Trainer(recipe, tokenizer)
    (trainer.folder / STOP).touch()
    assert not trainer.fit()
    assert not trainer.fit(limit_seconds=0.0)
    assert not (trainer.folder / "log.jsonl").exists()  # nothing was trained, and a pause does not wait to validate
    assert Trainer(recipe, tokenizer).resume()


def test_a_word_makes_the_decay_begin(recipe: Recipe, tokenizer: Tokenizer):
    """With a cool-down file the run ends decayed, long before its plan."""
    trainer = Trainer(replace(recipe, run=replace(recipe.run, total_tokens=1e9)), tokenizer)
    for _ in range(4):
        trainer.train_step()
    (trainer.folder / COOL_DOWN).touch()
    assert trainer.fit()
    assert trainer.tokens < 10_000
    assert read_log(trainer.folder)[-1]["lr"] < 0.5


def test_chunks_do_not_change_the_loss():
    """The chunked loss is the cross-entropy of the logits, and ignored labels do not count."""
    model = CompletionModel(ModelShape(vocab=64, dim=16, layers=1, heads=2, kv_heads=1, head_dim=8, ffn=16))
    tokens = torch.arange(40).view(2, 20)
    labels = (tokens + 1).clone()
    labels[0, :5] = -100
    expected = torch.nn.functional.cross_entropy(model.logits(tokens).flatten(0, 1), labels.flatten(), reduction="sum")
    for chunk in (7, 40, 64):
        assert torch.allclose(model(tokens, labels, chunk)[0], expected, rtol=1e-5)


def test_marked_labels_weigh_more_and_mean_the_same():
    """A mark multiplies the loss of its label and changes nothing else."""
    model = CompletionModel(ModelShape(vocab=64, dim=16, layers=1, heads=2, kv_heads=1, head_dim=8, ffn=16))
    tokens = torch.arange(20)[None]
    only = torch.full((1, 20), -100)
    only[0, 7] = 8
    rest = tokens + 1
    rest[0, 7] = -100
    plain, weighted, _ = model(tokens, (tokens + 1) | (torch.arange(20) == 7) * MARK, 6, 4.0)
    assert torch.allclose(weighted, model(tokens, rest)[0] + 4 * model(tokens, only)[0])
    assert torch.allclose(plain, model(tokens, tokens + 1)[0])


def test_every_dtype_can_be_asked_for():
    """The type is measured unless it is named."""
    cpu = torch.device("cpu")
    assert pick_dtype("fp32", cpu) is torch.float32
    assert pick_dtype("auto", cpu) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("name", ["continue.toml", "cpu.toml", "gpu.toml"])
def test_the_recipes_are_whole(name: str):
    """Each recipe parses, ends its phases at one and reaches its model's context."""
    recipe = load_recipe(RECIPES / name)
    assert recipe.phases[-1].until == 1.0
    assert recipe.phases[-1].context == recipe.model.context >= 4096


def test_unknown_keys_are_errors():
    """A misspelt section or key is never ignored."""
    with pytest.raises(ValueError, match="sections"):
        parse_recipe({"modle": {}}, "x")
    with pytest.raises(TypeError):
        parse_recipe({"mixture": MIXTURE, "run": {"sede": 1}}, "x")


@pytest.mark.parametrize("share", MIXTURE)
def test_a_recipe_states_how_rows_are_written(share: str):
    """No share of the mixture has a value of its own in the code."""
    assert parse_recipe({"mixture": MIXTURE}, "x").mixture.fim == MIXTURE["fim"]
    with pytest.raises(TypeError, match=share):
        parse_recipe({"mixture": {key: value for key, value in MIXTURE.items() if key != share}}, "x")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_trains_with_the_same_code(recipe: Recipe, tokenizer: Tokenizer):
    """On a GPU, compiled and in bf16, a run learns, resumes and is evaluated."""
    run = replace(recipe.run, device="cuda", dtype="bf16", compile=True, log_every=3)
    trainer = Trainer(replace(recipe, run=run), tokenizer)
    before = trainer.evaluate()
    assert trainer.fit()
    assert trainer.evaluate() < before
    assert Trainer(replace(recipe, run=run), tokenizer).resume()
