"""``guiderail eval``: how good the suggestions are, measured on packages that nobody trained on."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.eval_cursors import cursors
from guiderail.cli.eval_dotprompts import dotprompts
from guiderail.cli.eval_layout import layout
from guiderail.cli.eval_methods import methods
from guiderail.cli.eval_pie import pie
from guiderail.cli.eval_precision import precision
from guiderail.cli.eval_repetition import repetition
from guiderail.cli.eval_report import report
from guiderail.cli.eval_run import run, tasks
from guiderail.cli.eval_soundness import soundness
from guiderail.cli.eval_uplift import uplift
from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags
from guiderail.errors import GuiderailError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.suite import Plan, Sample

COLUMNS = {
    "bits_per_byte": "bits/byte",
    "next_line_em": "next line EM",
    "next_line_es": "next line ES",
    "fim_line_em": "FIM line EM",
    "parse_rate": "parses",
}
PIPE_WIDTH = 130  # columns of the table where no terminal says how wide it is
CORPUS = Path("training", "work", "corpus")


@click.group()
def evaluate() -> None:
    """Measure how good the suggestions are.

    The packages come from the package index, pinned by hash; they are kept for the next time.
    """


evaluate.add_command(pie)
evaluate.add_command(methods)
evaluate.add_command(repetition)
evaluate.add_command(layout)
evaluate.add_command(precision)
evaluate.add_command(soundness)
evaluate.add_command(run)
evaluate.add_command(dotprompts)
evaluate.add_command(tasks)
evaluate.add_command(report)
evaluate.add_command(uplift)
evaluate.add_command(cursors)


@evaluate.command("model")
@click.option("--model", "names", multiple=True, metavar="MODEL", help="What to measure; may be given several times.")
@click.option("--quick", is_flag=True, help="Fewer packages, under three minutes on two cores.")
@click.option("--n", "lines", type=click.IntRange(1), help="Tasks of each kind.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the tasks and the intervals.  [default: 0]")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@click.option("--samples", type=OUTPUT, metavar="FILE.jsonl", help="Write every single answer too.")
@setting_flags("device", "dtype", "threads")
def model(
    names: tuple[str, ...],
    quick: bool,
    lines: int | None,
    seed: int,
    target: str | None,
    samples: str | None,
    **flags: Any,
) -> None:
    """Bits per byte, exact lines and parsing answers of a model, beside baselines.

    \b
    guiderail eval model --quick
    guiderail eval model --model embedded --model ./checkpoint --json figures.json
    """
    if samples and target and Path(samples).absolute() == Path(target).absolute():
        raise UsageError("--json and --samples name the same file", "Choose another one")
    from guiderail.evaluation.suite import FULL, QUICK

    plan = replace(QUICK if quick else FULL, seed=seed)
    plan = replace(plan, lines=lines) if lines else plan
    settings = resolved(flags).settings
    chosen = list(dict.fromkeys(names)) or [settings.model]
    with progress() as bar:
        found = _measure(chosen, plan, settings, bar)
    if samples:
        _write_samples(samples, found)
    _report(found, chosen, plan, target)


def _measure(names: list[str], plan: "Plan", settings: Any, bar: "Progress") -> "list[Sample]":
    from guiderail.evaluation import suite
    from guiderail.model.load import load

    files = held_out(plan.packages, bar)
    material = suite.materials(files, plan)
    task = bar.add_task("loading models", total=suite.units(material, len(names)))
    models = {
        name: load(name, device=settings.device, dtype=settings.dtype, threads=settings.threads) for name in names
    }
    bar.update(task, description="measuring")
    return list(suite.evaluate(models, material, plan, advance=lambda: bar.advance(task)))


def _report(samples: "list[Sample]", names: list[str], plan: "Plan", target: str | None) -> None:
    from guiderail.evaluation import manifest, packages, record, report, suite

    bases = {system: name for name in names for system in suite.variants(name)}
    bases |= dict.fromkeys((suite.FILE_NGRAMS, suite.PROJECT_NGRAMS), names[0])
    rows = report.rows(samples, seed=plan.seed, bases=bases)
    conditions = record.meta(
        {"tasks": plan.seed, "shuffling": plan.seed, "bootstrap": plan.seed},
        plan=asdict(plan),
        manifest=manifest.DEFAULT,
        manifest_sha256=packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT),
        builder=packages.BUILDER,
        truth={"parse_rate": 1.0},
    )
    _print_table(rows, to_stdout=target != "-")
    if target:
        record.write(target, conditions, rows)


def _print_table(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="Below each figure its 95 % interval over packages; EM exact match, ES edit similarity")
    table.add_column("model", no_wrap=True)
    for title in (*COLUMNS.values(), "tokens/s", "n"):
        table.add_column(title, justify="right")
    for row in rows:
        cells = [_cell(row, name) for name in COLUMNS]
        speed = row["tokens_per_s"]
        table.add_row(row["model"], *cells, "-" if speed is None else f"{speed:.0f}", str(row["n"]))
    width = None if (sys.stdout if to_stdout else sys.stderr).isatty() else PIPE_WIDTH
    Console(stderr=not to_stdout, width=width).print(table)


def _cell(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    low, high = row["intervals"][name]
    return f"{row[name]:.3f}\n{low:.2f}–{high:.2f}"


def _write_samples(target: str, samples: "list[Sample]") -> None:
    try:
        with Path(target).open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(asdict(sample)) + "\n" for sample in samples)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", "Choose another file") from error


@evaluate.command()
@click.option("--corpus", metavar="FILE.jsonl", help="Training documents (package, path, text), one a line.")
@click.option("--json", "target", type=OUTPUT, help="Write the copies as JSON; - is standard output.")
def contamination(corpus: str | None, target: str | None) -> None:
    """Look for text of the evaluation in the training corpus; fails if there is any."""
    from guiderail.evaluation import record
    from guiderail.evaluation.contamination import THRESHOLD, Index, search

    source = _corpus(corpus, "train.jsonl")
    with progress() as bar:
        index = Index(file for files in held_out(None, bar).values() for file in files)
        task = bar.add_task("comparing", total=source.stat().st_size)
        copies = list(search(index, source, advance=lambda size: bar.advance(task, size)))
    rows = [asdict(copy) for copy in copies]
    if target:
        record.write(target, record.meta({}, threshold=THRESHOLD, files=len(index)), rows)
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
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("model", "device", "dtype", "threads")
def tune(corpus: str | None, files: int, target: str | None, **flags: Any) -> None:
    """Find the weights of the n-gram mix-in on text that nothing is reported on.

    Weights are found on every second file, and the figures are of the others.
    """
    from guiderail.decoding.stages.ngram import WEIGHTS
    from guiderail.evaluation import record
    from guiderail.evaluation.likelihood import Scorer
    from guiderail.evaluation.mixing import fit, mixed_bits, read_corpus
    from guiderail.model.load import load

    source, settings = _corpus(corpus, "validation.jsonl"), resolved(flags).settings
    with progress() as bar:
        task = bar.add_task("reading", total=None)
        scorer = Scorer(
            load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads), 1024
        )
        advance = lambda: bar.advance(task)  # noqa: E731
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
        record.write(target, record.meta({"files": 0}, model=settings.model, n_text_bytes=size), rows)
    if target != "-":
        for row in rows:
            click.echo(json.dumps(row))
