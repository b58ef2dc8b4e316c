"""Where a recipe's run lies, found without loading what trains it: a word to a run must come through at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

WORK = Path("training/work")


def run_folder(work: Path, name: str) -> Path:
    """Checkpoints, log and words of one run."""
    return work / "runs" / name


def run_folder_of(recipe: Path) -> Path:
    """The same, from the file of the recipe."""
    return run_folder(Path(tomllib.loads(recipe.read_text()).get("work", WORK)), recipe.stem)
