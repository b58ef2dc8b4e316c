"""``guiderail eval``: how good the suggestions are, measured on packages that nobody trained on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from guiderail.cli.eval_context import context
from guiderail.cli.eval_cursors import cursors
from guiderail.cli.eval_dotprompts import dotprompts
from guiderail.cli.eval_layout import layout
from guiderail.cli.eval_methods import methods
from guiderail.cli.eval_model import model
from guiderail.cli.eval_next_edit import next_edit
from guiderail.cli.eval_pie import pie
from guiderail.cli.eval_precision import precision
from guiderail.cli.eval_repetition import repetition
from guiderail.cli.eval_report import report
from guiderail.cli.eval_run import run, tasks
from guiderail.cli.eval_shown import shown
from guiderail.cli.eval_soundness import soundness
from guiderail.cli.eval_uplift import uplift
from guiderail.cli.eval_verdict import verdict
from guiderail.cli.held_out import held_out, phases, progress
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.study import JSON
from guiderail.cli.workspace import leave_out_programs
from guiderail.errors import GuiderailError, UsageError

CORPUS = Path("training", "work", "corpus")


@click.group()
def evaluate() -> None:
    """Measure how good the suggestions are.

    The packages come from the package index, pinned by hash; they are kept for the next time.
    """
    leave_out_programs()


STUDIES = (
    model, pie, methods, repetition, layout, context, precision, soundness, uplift, verdict, cursors, shown, next_edit,
)  # fmt: skip
for command in (*STUDIES, run, dotprompts, tasks, report):
    evaluate.add_command(command)


@evaluate.command()
@click.option("--corpus", metavar="FILE.jsonl", help="Training documents (package, path, text), one a line.")
@JSON
def contamination(corpus: str | None, target: str | None) -> None:
    """Look for text of the evaluation in the training corpus; fails if there is any."""
    from guiderail.evaluation import measurement
    from guiderail.evaluation.contamination import THRESHOLD, Index, search

    source = _corpus(corpus, "train.jsonl")
    with progress() as bar:
        index = Index(file for files in held_out(None, bar).values() for file in files)
        copies = list(search(index, source, advance=phases(bar)("comparing", source.stat().st_size)))
    rows = [asdict(copy) for copy in copies]
    if target:
        measurement.write(target, measurement.meta({}, threshold=THRESHOLD, files=len(index)), rows)
    if target != "-":
        for copy in copies:
            click.echo(f"{copy.package} {copy.path} is {copy.share:.0%} in {copy.found_in}")
        click.echo(f"{len(copies)} of {len(index)} files of the evaluation are in the training corpus")
    if copies:
        raise GuiderailError("the evaluation is contaminated", "Exclude these files in the manifest")


def _corpus(named: str | None, name: str) -> Path:
    from guiderail.evaluation.manifest import datasets_folder

    source = Path(named) if named else datasets_folder().parent / CORPUS / name
    if not source.is_file():
        raise UsageError(f"there is no corpus at {source}", "Build it (training/), or name one by --corpus")
    return source


@evaluate.command()
@click.option("--corpus", metavar="FILE.jsonl", help="Validation documents (package, path, text), one a line.")
@click.option("--files", type=click.IntRange(2), default=8, help="Files of each package.  [default: 8]")
@JSON
@setting_flags("model", "device", "dtype", "threads")
def tune(corpus: str | None, files: int, target: str | None, **flags: Any) -> None:
    """Find the weights of the n-gram mix-in on text that nothing is reported on.

    Weights are found on every second file, and the figures are of the others.
    """
    from guiderail.decoding.stages.ngram import WEIGHTS
    from guiderail.evaluation import measurement
    from guiderail.evaluation.likelihood import Scorer
    from guiderail.evaluation.ngram_mixing import fit, mixed_bits, read_corpus
    from guiderail.model.load import load

    source, settings = _corpus(corpus, "validation.jsonl"), resolved(flags).settings
    with progress() as bar:
        advance = phases(bar)("reading", None)
        scorer = Scorer(
            load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads), 1024
        )
        read = list(read_corpus(source, scorer, files=files, characters=6000, seed=0, advance=advance))
    found = fit([(trace, scores) for _, trace, scores in read[::2]])
    size = sum(bytes_read for bytes_read, _, _ in read[1::2])
    costs = {"without": sum(scores.bits for _, _, scores in read[1::2])} | {
        name: sum(mixed_bits(trace, scores, weights) for _, trace, scores in read[1::2])
        for name, weights in (("shipped", WEIGHTS), ("found", found))
    }
    weights = {"without": None, "shipped": asdict(WEIGHTS), "found": asdict(found)}
    rows = [{"weights": name, "bits_per_byte": bits / size, **(weights[name] or {})} for name, bits in costs.items()]
    if target:
        measurement.write(target, measurement.meta({"files": 0}, model=settings.model, n_text_bytes=size), rows)
    if target != "-":
        for row in rows:
            click.echo(json.dumps(row))
