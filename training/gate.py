"""Learns how likely a beginning of a suggestion is to be right, by replaying true code (`guiderail.engine.likelihood`).

    python -m training.gate replay validation.jsonl --out examples.jsonl
    python -m training.gate fit examples.jsonl --check held_out.jsonl --out guiderail/engine/gates/embedded.json

What was typed next says what would have been right. The files are of packages that no figure is reported on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from guiderail.engine.engine import Engine
from guiderail.engine.likelihood import Facts, Likelihood, word_ends
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import BATCH
from guiderail.evaluation.keystrokes import Cursor, draw, is_right
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import read_lines
from guiderail.evaluation.study import laid_out
from guiderail.evaluation.tables import grouped
from guiderail.settings import Settings
from guiderail.text.document import Document

PENALTY = 1e-3  # of squared weights, of which the scale of the facts takes care
STEPS = 200
BINS = 10

Example = Mapping[str, Any]  # facts, right, package, weight
CORPUS = click.argument("corpora", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
OUT = click.option("--out", required=True, type=click.Path(path_type=Path))


@click.group()
def main() -> None:
    """Learn when a suggestion is worth showing."""


@main.command()
@CORPUS
@OUT
@click.option("--model", default="embedded")
@click.option("--dtype", default="auto")
@click.option("--threads", default=0)
@click.option("--n", "count", default=60, help="Cursors of each package.")
@click.option("--seed", default=0)
def replay(corpora: Sequence[Path], out: Path, model: str, dtype: str, threads: int, count: int, seed: int) -> None:
    """Complete at every fifth key of CORPORA (package, path, text, one a line) and write what is learned from."""
    files = grouped((one for corpus in corpora for one in _read(corpus)), lambda file: file.package)
    settings = Settings(model=model, dtype=dtype, threads=threads, confidence="off", monitors=False)  # pyright: ignore[reportArgumentType]
    engine = Engine(BATCH)
    engine.load(settings)
    with tempfile.TemporaryDirectory() as work, out.open("w", encoding="utf-8") as stream:
        roots = laid_out(files, Path(work))
        for own in files.values():
            for cursor in draw(own, count, seed):
                stream.writelines(json.dumps(one) + "\n" for one in examples(engine, cursor, roots, settings))
            stream.flush()


def _read(corpus: Path) -> Iterator[SourceFile]:
    yield from (SourceFile(**one) for one in read_lines(corpus))


def examples(engine: Engine, cursor: Cursor, roots: Mapping[str, Path], settings: Settings) -> Iterator[Example]:
    """The beginnings of what is suggested at a cursor; each suggestion counts twice in sum, half of it as a whole."""
    root = roots[cursor.package]
    document = Document(cursor.text, root / cursor.path, cursor.language)
    request = CompletionRequest(document=document, offset=cursor.offset, root=root, settings=settings)
    one = next(iter(engine.complete(request).suggestions), None)
    if one is None or not one.steps or one.end != one.start:
        return
    facts, ends = Facts(document, one), word_ends(one.text)
    for end in ends:
        weight = 1 / len(ends) + (end == ends[-1])
        right = is_right(one.text[:end], cursor.truth)
        yield {"package": cursor.package, "facts": facts.of(end), "right": right, "weight": weight}


@main.command()
@CORPUS
@OUT
@click.option("--check", multiple=True, type=click.Path(exists=True, path_type=Path), help="Examples of others.")
@click.option("--about", default="", help="Where the examples come from, for the table.")
def fit(corpora: Sequence[Path], out: Path, check: Sequence[Path], about: str) -> None:
    """Fit the logistic model to the examples in CORPORA, and say how well its probabilities hold."""
    own = [one for corpus in corpora for one in read_lines(corpus)]
    model = fitted(own)
    others = [one for corpus in check for one in read_lines(corpus)]
    error = calibration_error(model, others or own)
    words = {"about": about, "examples": len(own), "packages": len({one["package"] for one in own})}
    weights = {name: round(value, 4) for name, value in model.weights.items()}
    table = {**words, "calibration_error": round(error, 4), "bias": round(model.bias, 4), "weights": weights}
    out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{len(own)} examples, calibration error {error:.1%} of {len(others or own)}")


def fitted(found: Sequence[Example]) -> Likelihood:
    """The weights that make what was right likeliest, less `PENALTY` for large ones."""
    names = sorted({name for one in found for name in one["facts"]})
    facts = torch.tensor([[one["facts"].get(name, 0.0) for name in names] for one in found], dtype=torch.float64)
    mean, scale = facts.mean(0), facts.std(0).clamp_min(1e-6)
    scaled = (facts - mean) / scale
    right = torch.tensor([float(one["right"]) for one in found], dtype=torch.float64)
    weight = torch.tensor([one["weight"] for one in found], dtype=torch.float64)
    weights = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        each = torch.nn.functional.binary_cross_entropy_with_logits(scaled @ weights + bias, right, weight)
        value = each + PENALTY * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    unscaled = weights.detach() / scale
    return Likelihood(float(bias.detach() - unscaled @ mean), dict(zip(names, unscaled.tolist(), strict=True)))


def calibration_error(model: Likelihood, found: Iterable[Example]) -> float:
    """How far probabilities are from shares of what is right, on average over `BINS` of equal width."""
    bins = grouped(((model(one["facts"]), one) for one in found), lambda pair: min(BINS - 1, int(BINS * pair[0])))
    total = error = 0.0
    for own in bins.values():
        weight = sum(one["weight"] for _, one in own)
        error += abs(sum(one["weight"] * (chance - one["right"]) for chance, one in own))
        total += weight
    return error / total if total else 0.0


if __name__ == "__main__":
    main()
