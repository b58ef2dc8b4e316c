from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.recipe import Recipe, load_recipe
from training.runs import run_folder_of
from training.stages import Paused, pending, run_stages

TINY = """
work = "{work}"
export = "{export}"
[data]
vocab = 512
[model]
dim = 32
layers = 1
heads = 2
kv_heads = 1
head_dim = 16
ffn = 48
context = 64
[mixture]
fim = 0.5
bare = 0.25
psm = 0.35
spm = 0.45
efim = 0.2
[run]
device = "cpu"
dtype = "bf16"
compile = false
threads = 1
total_tokens = 512
lanes = 2
log_every = 2
validation_rows = 1
validation_context = 32
[[phases]]
until = 1.0
context = 64
rows = 1
"""


def test_stages_before_the_last_result_are_done(recipe: Recipe):
    """A machine that has the packed corpus only trains and exports, and afterwards nothing is left to do."""
    assert pending(recipe) == ["train", "export"]
    assert pending(recipe, "pack") == []
    run_stages(recipe, lambda line: None)
    assert pending(recipe) == []


def test_nothing_is_exported_from_a_paused_run(recipe: Recipe):
    """A pause ends the command before the export, and the next run goes on."""
    with pytest.raises(Paused):
        run_stages(recipe, lambda line: None, limit_seconds=0.0)
    assert pending(recipe) == ["train", "export"]
    assert not recipe.export.exists()


def test_one_command_trains_exports_and_draws(work: Path, tmp_path: Path):
    """The command line runs a bf16 recipe to its export, prints its table and draws its curve."""
    path = tmp_path / f"{tmp_path.name}.toml"
    path.write_text(TINY.format(work=work, export=tmp_path / "export"))
    runner = CliRunner()
    assert "paused" in runner.invoke(main, ["run", str(path), "--seconds", "0"]).output
    result = runner.invoke(main, ["run", str(path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "export" / "model.safetensors").exists()
    picture = tmp_path / "curve.png"
    assert runner.invoke(main, ["plot", str(path), "--to", str(picture)]).exit_code == 0
    assert picture.stat().st_size > 1000
    assert runner.invoke(main, ["pause", str(path)]).exit_code == 0
    assert runner.invoke(main, ["cooldown", str(path)]).exit_code == 0


def test_a_word_to_a_run_loads_nothing_heavy(tmp_path: Path):
    """`pause` finds the run that the recipe has and imports no torch, which takes minutes beside a busy run."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(work=tmp_path, export=tmp_path / "export"))
    folder = load_recipe(path).run_folder
    assert run_folder_of(path) == folder
    folder.mkdir(parents=True)
    code = (
        "import sys; from training.__main__ import main; main(['pause', sys.argv[1]], standalone_mode=False);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0
    assert (folder / "stop").exists()
