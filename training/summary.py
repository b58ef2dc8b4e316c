"""What the corpus holds, as a Markdown table for the README."""

from __future__ import annotations

from collections import Counter, defaultdict

from training.manifest import read_manifest
from training.pack import load_packed
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
