"""The stages from nothing to exported weights; each is skipped when its result is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from training.corpus import build_corpus, known_held_out, read_documents
from training.export import export
from training.manifest import check_stdlib, fetch_all, make_manifest, read_manifest
from training.pack import pack
from training.recipe import Recipe
from training.start import take_tokenizer
from training.stdlib import STDLIB
from training.tokenizer import balanced, load_tokenizer, save_tokenizer, train_tokenizer
from training.train import train


def manifest_stage(recipe: Recipe) -> None:
    """Pin the packages."""
    make_manifest(recipe.data.names, recipe.work / "archives", recipe.data.manifest)


def download_stage(recipe: Recipe) -> None:
    """Fetch the pinned archives."""
    packages = read_manifest(recipe.data.manifest)
    for package in packages:
        if package.name == STDLIB:
            check_stdlib(package)
    fetch_all((package for package in packages if package.name != STDLIB), recipe.work / "archives")
    (recipe.work / "archives" / "complete").touch()


def corpus_stage(recipe: Recipe) -> None:
    """Clean and deduplicate."""
    data = recipe.data
    build_corpus(
        read_manifest(data.manifest),
        recipe.work / "archives",
        known_held_out(data.names, data.evaluation),
        recipe.work / "corpus",
        package_limit=data.package_limit,
    )


def tokenizer_stage(recipe: Recipe) -> None:
    """Learn the vocabulary, or take that of the weights to start from."""
    if recipe.start:
        take_tokenizer(recipe.start.weights, recipe.work / "tokenizer")
        return
    texts = balanced(read_documents(recipe.work / "corpus" / "train.jsonl"), recipe.data.tokenizer_sample)
    save_tokenizer(train_tokenizer(texts, recipe.data.vocab), recipe.work / "tokenizer", recipe.model.context)


def pack_stage(recipe: Recipe) -> None:
    """Tokenise everything once."""
    tokenizer = load_tokenizer(recipe.work / "tokenizer")
    (recipe.work / "packed").mkdir(exist_ok=True)
    for part in ("validation", "train"):
        pack(read_documents(recipe.work / "corpus" / f"{part}.jsonl"), tokenizer, recipe.work / "packed" / part)


def train_stage(recipe: Recipe, limit_seconds: float = math.inf) -> None:
    """Train, going on from a checkpoint."""
    if not train(recipe, limit_seconds):
        raise Paused(f"training paused; run {recipe.name} again to go on")
    (recipe.run_folder / "done").touch()


def export_stage(recipe: Recipe) -> None:
    """Write what transformers loads."""
    export(recipe)
    (recipe.run_folder / "exported").touch()


class Paused(Exception):
    """Training stopped before its schedule ended; what follows would use unfinished weights."""


#: Stage, what it leaves after, and how to do it, in order.
STAGES: dict[str, tuple[Callable[[Recipe], Path], Callable[[Recipe], None]]] = {
    "manifest": (lambda r: r.data.manifest, manifest_stage),
    "download": (lambda r: r.work / "archives" / "complete", download_stage),
    "corpus": (lambda r: r.work / "corpus" / "table.json", corpus_stage),
    "tokenizer": (lambda r: r.work / "tokenizer" / "tokenizer_config.json", tokenizer_stage),
    "pack": (lambda r: r.work / "packed" / "train.files.jsonl", pack_stage),
    "train": (lambda r: r.run_folder / "done", train_stage),
    "export": (lambda r: r.run_folder / "exported", export_stage),
}


def pending(recipe: Recipe, until: str = "export") -> list[str]:
    """The stages still to do: those after the last one whose result is there.

    Earlier results are not asked for, so a machine that was given only the packed corpus trains at once.
    """
    names = list(STAGES)[: list(STAGES).index(until) + 1]
    done = [i for i, name in enumerate(names) if STAGES[name][0](recipe).exists()]
    return names[done[-1] + 1 :] if done else names


def run_stages(
    recipe: Recipe, say: Callable[[str], None], until: str = "export", limit_seconds: float = math.inf
) -> None:
    """Do every pending stage up to one."""
    names = pending(recipe, until)
    say("to do: " + (", ".join(names) or "nothing"))
    for name in names:
        say(name)
        if name == "train":
            train_stage(recipe, limit_seconds)
        else:
            STAGES[name][1](recipe)
