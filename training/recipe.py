"""Recipes: everything a run depends on, in one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.model import ModelShape
from training.optim import OptimShape
from training.rows import Mixture
from training.runs import WORK, run_folder
from training.schedule import Phase, Schedule
from training.start import Start


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """Where the corpus comes from."""

    names: Path = Path("training/packages.txt")
    manifest: Path = Path("training/corpus.jsonl")
    evaluation: Path = Path("datasets/pragmatic_py.toml")
    package_limit: int = 2_500_000
    tokenizer_sample: int = 200_000
    vocab: int = 8192


@dataclass(frozen=True, slots=True)
class RunRecipe:
    """How long to train, on what, and how often to look."""

    seed: int = 1
    device: str = "auto"
    dtype: str = "auto"
    compile: bool = True
    threads: int = 2
    total_tokens: float = 5e7
    total_seconds: float | None = None
    warmup_steps: int = 150
    decay: float = 0.4
    z_loss: float = 1e-4
    hole_weight: float = 1.0
    lanes: int = 64
    loss_chunk: int = 1024
    log_every: int = 1
    checkpoint_seconds: float = 240.0
    evaluate_seconds: float = 420.0
    validation_rows: int = 64
    validation_context: int = 1024


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run."""

    name: str
    work: Path
    export: Path
    data: DataRecipe
    model: ModelShape
    optim: OptimShape
    mixture: Mixture
    run: RunRecipe
    shard_mib: float = 64.0
    start: Start | None = None
    phases: tuple[Phase, ...] = field(default=(Phase(1.0, 512, 8),))

    @property
    def run_folder(self) -> Path:
        """Checkpoints and log of this run."""
        return run_folder(self.work, self.name)

    def schedule(self) -> Schedule:
        """A fresh schedule."""
        run = self.run
        return Schedule(run.total_tokens, run.total_seconds, run.warmup_steps, run.decay, self.phases)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; an unknown key is an error, never ignored."""
    return parse_recipe(tomllib.loads(path.read_text()), path.stem)


def parse_recipe(table: dict[str, Any], name: str) -> Recipe:
    """A recipe from its table; sections that are left out keep their defaults."""
    known = {"work", "export", "shard_mib", "start", "data", "model", "optim", "mixture", "run", "phases"}
    if unknown := set(table) - known:
        raise ValueError(f"recipe {name}: unknown sections {sorted(unknown)}")
    data: dict[str, Any] = dict(table.get("data", {}))
    for key in {"names", "manifest", "evaluation"} & data.keys():
        data[key] = Path(data[key])
    data_recipe = DataRecipe(**data)
    return Recipe(
        name=name,
        work=Path(table.get("work", WORK)),
        export=Path(table.get("export", f"training/work/exports/{name}")),
        shard_mib=table.get("shard_mib", 64.0),
        start=Start(**table["start"]) if "start" in table else None,
        data=data_recipe,
        model=ModelShape(vocab=data_recipe.vocab, **table.get("model", {})),
        optim=OptimShape(**table.get("optim", {})),
        mixture=Mixture(**table.get("mixture", {})),
        run=RunRecipe(**table.get("run", {})),
        phases=tuple(Phase(**phase) for phase in table.get("phases", [{"until": 1.0, "context": 512, "rows": 8}])),
    )
