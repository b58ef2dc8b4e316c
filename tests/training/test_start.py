"""Laws of going on from exported weights."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer

from tests.training.test_stages import TINY
from training.__main__ import main
from training.export import export, write_weights
from training.model import CompletionModel
from training.plot import read_log
from training.recipe import Recipe, load_recipe, parse_recipe
from training.stages import pending, tokenizer_stage
from training.start import Start, StartError, load_start
from training.summary import run_table
from training.tokenizer import save_tokenizer, train_tokenizer
from training.train import Trainer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights(recipe: Recipe, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """The export of a short run."""
    Trainer(recipe, tokenizer).fit()
    return export(recipe, tmp_path / "weights")


def going_on(recipe: Recipe, weights: Path) -> Recipe:
    """A recipe that starts where another run ended."""
    return replace(recipe, name=f"{recipe.name}-on", start=Start(weights, 2048, 60.0))


def test_a_run_starts_from_the_weights_with_a_fresh_optimiser(recipe: Recipe, tokenizer: Tokenizer, weights: Path):
    """Every parameter and its master are the exported ones, moments and steps are zero."""
    trainer = Trainer(going_on(recipe, weights), tokenizer)
    exported = Trainer(recipe, tokenizer)
    assert exported.resume()
    optimizer = trainer.optimizer
    for name, parameter in trainer.model.named_parameters():
        assert torch.equal(parameter, exported.optimizer.masters[name].bfloat16().float())
        assert torch.equal(optimizer.masters[name], parameter)
        assert not optimizer.momentum[name].any()
    assert optimizer.steps == trainer.step == trainer.tokens == 0
    assert trainer.evaluate() == pytest.approx(exported.evaluate(), rel=0.01)


def test_going_on_learns_more(recipe: Recipe, tokenizer: Tokenizer, weights: Path):
    """The first validation of the log is that of the start, the last is better."""
    run = replace(recipe.run, total_tokens=16_000)
    trainer = Trainer(replace(going_on(recipe, weights), run=run), tokenizer)
    assert trainer.fit()
    curve = [record["validation_bpb"] for record in read_log(trainer.folder) if "validation_bpb" in record]
    assert curve[-1] < 0.95 * curve[0]


def test_a_paused_run_goes_on_from_its_own_weights(recipe: Recipe, tokenizer: Tokenizer, weights: Path):
    """A checkpoint counts and not the start, which may be gone by then."""
    later = going_on(recipe, weights)
    assert not Trainer(later, tokenizer).fit(limit_seconds=0.001)
    shutil.rmtree(weights)
    resumed = Trainer(later, tokenizer)
    assert resumed.resume() and resumed.step == 1
    assert resumed.fit()


def test_tokens_read_before_are_told_apart_and_added(recipe: Recipe, tokenizer: Tokenizer, weights: Path):
    """Log and table give the tokens of the run, those of the start, and the sum."""
    later = going_on(recipe, weights)
    trainer = Trainer(later, tokenizer)
    assert trainer.fit()
    records = read_log(trainer.folder)
    assert (records[0]["tokens"], records[0]["seen"]) == (0, 2048)
    assert records[-1]["seen"] == records[-1]["tokens"] + 2048
    later = replace(later, start=Start(weights, 18.9e6, 5640.0))
    table = run_table(later)
    assert "| tokens | 18.90 M | 0.00 M | 18.90 M |" in table
    assert "| time | 94.00 min |" in table
    assert "Validation, bits a byte: " in table
    assert "| tokens | 0.00 M |" in run_table(recipe)


@pytest.mark.parametrize(("size", "named"), [({"dim": 40}, "hidden_size 32"), ({"layers": 3}, "num_hidden_layers 2")])
def test_another_shape_is_refused_by_what_differs(
    recipe: Recipe, tokenizer: Tokenizer, weights: Path, size: dict[str, int], named: str
):
    """The error names the size that the weights have, before any training."""
    other = replace(going_on(recipe, weights), model=replace(recipe.model, **size))
    with pytest.raises(StartError, match=named):
        Trainer(other, tokenizer)


def test_another_tokenizer_is_refused(recipe: Recipe, documents: list, weights: Path, tmp_path: Path):
    """Token numbers of another table would be read as other text."""
    save_tokenizer(train_tokenizer([documents[0].text], 400), tmp_path / "other", context=128)
    with pytest.raises(StartError, match="not the tokenizer of"):
        load_start(CompletionModel(recipe.model), Start(weights, 0), tmp_path / "other")


def test_weights_that_are_not_the_configuration_s_are_refused(recipe: Recipe, weights: Path):
    """A missing tensor is found by name, a cut file is told as such, and a missing file too."""
    model, tokenizer = CompletionModel(recipe.model), recipe.work / "tokenizer"
    tensors = {name: p.detach().bfloat16() for name, p in model.named_parameters() if name != "model.norm.weight"}
    write_weights(tensors, weights, 1e9)
    with pytest.raises(StartError, match=r"model\.norm\.weight"):
        load_start(model, Start(weights, 0), tokenizer)
    file = weights / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StartError, match="cannot be read"):
        load_start(model, Start(weights, 0), tokenizer)
    with pytest.raises(StartError, match=r"config\.json cannot be read"):
        load_start(model, Start(weights / "nowhere", 0), tokenizer)


def test_shards_are_read_as_one(recipe: Recipe, tokenizer: Tokenizer, weights: Path, tmp_path: Path):
    """A start in several files gives the same model as one in a single file."""
    shards = export(replace(recipe, shard_mib=0.02), tmp_path / "shards")
    assert len(list(shards.glob("model-*.safetensors"))) > 1
    whole, cut = (Trainer(replace(going_on(recipe, f), name=f"{f.name}-on"), tokenizer) for f in (weights, shards))
    pairs = zip(whole.model.parameters(), cut.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_corpus_is_packed_with_the_start_s_tokenizer(recipe: Recipe, weights: Path, tmp_path: Path):
    """The tokenizer stage learns nothing, it takes the table of the weights."""
    fresh = replace(going_on(recipe, weights), work=tmp_path / "fresh")
    assert "tokenizer" in pending(fresh)
    tokenizer_stage(fresh)
    taken = fresh.work / "tokenizer" / "tokenizer.json"
    assert taken.read_bytes() == (weights / "tokenizer.json").read_bytes()


def test_the_command_line_says_it_in_one_line(work: Path, weights: Path, tmp_path: Path):
    """A start of another shape ends the command with its remedy and without a traceback; figures are printed."""
    path = tmp_path / f"{tmp_path.name}-on.toml"
    text = TINY.format(work=work, export=tmp_path / "export")
    path.write_text(text + f'\n[start]\nweights = "{weights}"\ntokens = 2048\n')
    result = CliRunner().invoke(main, ["run", str(path)])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith("Error: ") and "[model]" in result.output
    shape = json.loads((weights / "config.json").read_text())
    assert f"num_hidden_layers {shape['num_hidden_layers']} (recipe: 1)" in result.output
    path.write_text(text)
    assert CliRunner().invoke(main, ["run", str(path)]).exit_code == 0
    assert "tokens a second" in CliRunner().invoke(main, ["figures", str(path)]).output


def test_the_recipe_that_goes_on_fits_the_shipped_weights():
    """Shape and tokenizer of `continue.toml` are those of the embedded model, and it exports elsewhere."""
    recipe = load_recipe(ROOT / "training" / "recipes" / "continue.toml")
    assert recipe.start is not None
    folder = ROOT / recipe.start.weights
    load_start(CompletionModel(recipe.model), replace(recipe.start, weights=folder), folder)
    assert recipe.export != recipe.start.weights


def test_a_start_without_its_tokens_is_no_recipe():
    """What the weights have read before must be stated, or totals would be too small."""
    mixture = {"fim": 0.5, "bare": 0.25, "psm": 0.35, "spm": 0.45, "efim": 0.2}
    with pytest.raises(TypeError, match="tokens"):
        parse_recipe({"mixture": mixture, "start": {"weights": "somewhere"}}, "x")


def test_the_recipe_and_the_model_card_agree_on_what_was_read():
    """The tokens that `continue.toml` counts as read are those that the card of the weights gives."""
    recipe = load_recipe(ROOT / "training" / "recipes" / "continue.toml")
    assert recipe.start is not None
    card = (ROOT / recipe.start.weights / "MODEL_CARD.md").read_text()
    trained = re.search(r"\| Trained on \| ([\d.]+) M tokens in (\d+) minutes", card)
    assert trained is not None
    assert (f"{recipe.start.tokens / 1e6:.1f}", f"{recipe.start.seconds / 60:.0f}") == trained.groups()
