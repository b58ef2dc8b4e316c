"""What the corpus holds and what a run did, as Markdown for the README and the model card."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from training.manifest import read_manifest
from training.pack import load_packed
from training.plot import read_log
from training.recipe import Recipe
from training.stdlib import STDLIB


def corpus_table(recipe: Recipe) -> str:
    """Packages, files and tokens by declared licence, the largest first."""
    licences = {package.name: package.licence for package in read_manifest(recipe.data.manifest)}
    licences[STDLIB] += " (standard library)"
    packages: dict[str, set[str]] = defaultdict(set)
    files: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for part in ("train", "validation"):
        for file in load_packed(recipe.work / "packed" / part).files:
            key = licences[file.package] if part == "train" else "validation packages"
            packages[key].add(file.package)
            files[key] += 1
            tokens[key] += file.stop - file.start
    order = sorted(tokens, key=lambda key: (key.startswith("validation"), -tokens[key]))
    rows = [f"| {key} | {len(packages[key])} | {files[key]:,} | {tokens[key] / 1e6:.1f} |" for key in order]
    return "\n".join(["| licence | packages | files | tokens, millions |", "|---|--:|--:|--:|", *rows])


def run_table(recipe: Recipe) -> str:
    """Tokens, time and validation of a run, what its weights had read before told apart and added up."""
    records = read_log(recipe.run_folder)
    tokens, seconds = records[-1]["tokens"], records[-1]["seconds"]
    before = (recipe.start.tokens, recipe.start.seconds) if recipe.start else (0.0, 0.0)
    curve = [(record.get("seen", record["tokens"]), record["validation_bpb"]) for record in _validated(records)]
    rows = [
        ("tokens", before[0] / 1e6, tokens / 1e6, " M"),
        ("time", before[1] / 60, seconds / 60, " min"),
    ]
    lines = [f"| {name} | {old:.2f}{unit} | {new:.2f}{unit} | {old + new:.2f}{unit} |" for name, old, new, unit in rows]
    validation = ", ".join(f"{value:.3f} at {seen / 1e6:.2f} M" for seen, value in curve)
    return "\n".join(
        [
            "| | before | this run | in all |",
            "|---|--:|--:|--:|",
            *lines,
            "",
            f"{records[-1]['step']:,} steps, {tokens / max(seconds, 1e-9):,.0f} tokens a second.",
            f"Validation, bits a byte: {validation}.",
        ]
    )


def _validated(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "validation_bpb" in record]
