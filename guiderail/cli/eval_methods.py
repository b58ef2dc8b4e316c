"""``guiderail eval methods``: ways to decode, beside each other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.decoders import Plan, Sample, Task
    from guiderail.evaluation.packages import SourceFile
    from guiderail.model.model import Model


@click.command()
@click.option("--model", "name", metavar="MODEL", help="What to measure.  [default: the model that is set]")
@click.option("--quick", is_flag=True, help="A few cursors, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Cursors of each kind.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the cursors and draws.  [default: 0]")
@click.option("--samples", metavar="FILE.jsonl", help="Keep every answer here; a broken run goes on where it ended.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("device", "dtype", "threads")
def methods(
    name: str | None, quick: bool, count: int | None, seed: int, samples: str | None, target: str | None, **flags: Any
) -> None:
    """Lines and bodies of functions by greedy decoding, beam search, AdaDec, contrast and others.

    \b
    guiderail eval methods --quick
    guiderail eval methods --samples methods.jsonl --json methods.json
    """
    from guiderail.evaluation import decoders as evaluation
    from guiderail.evaluation import manifest, packages, record
    from guiderail.model.load import load

    plan = evaluation.sized(replace(evaluation.QUICK if quick else evaluation.FULL, seed=seed), count)
    settings = resolved(flags).settings
    model = load(name or settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    missing = [case.name for case in evaluation.CASES if case not in evaluation.available()]
    if missing:
        click.echo(f"not registered, and left out: {', '.join(missing)}", err=True)
    with progress() as bar:
        files = held_out(plan.packages, bar)
        found = _answers(model, evaluation.tasks(files, plan), plan, samples, bar)
        clean = _clean(files, found, bar)
    rows = evaluation.rows(found, clean, seed=seed)
    _print(rows, to_stdout=target != "-")
    if target:
        digest = packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT)
        conditions = {"model": model.info.name, "plan": asdict(plan), "manifest_sha256": digest}
        conditions["cases"] = [asdict(case) for case in evaluation.available()]
        seeds = {"cursors": seed, "draws": seed, "bootstrap": seed}
        record.write(target, record.meta(seeds, libraries=("pyrefly",), **conditions), rows)


def _answers(model: Model, drawn: Sequence[Task], plan: Plan, kept: str | None, bar: Progress) -> list[Sample]:
    from guiderail.evaluation import decoders as evaluation
    from guiderail.evaluation.samples import answered

    task = bar.add_task("answering", total=len(drawn) * len(evaluation.available()))
    evaluate = partial(evaluation.evaluate, model, drawn, plan, advance=lambda: bar.advance(task))
    run = {"model": model.info.name, "n": len(drawn), **asdict(plan)}
    return answered(evaluate, evaluation.Sample, run, kept)


def _clean(
    files: Mapping[str, Sequence[SourceFile]], samples: Sequence[Sample], bar: Progress
) -> dict[tuple[str, str, str, int], bool]:
    """Of every sample, whether it brings no new error; package by package."""
    from guiderail.evaluation.errors import new_errors

    task = bar.add_task("checking for errors", total=len(files))
    found = {}
    for package, own in files.items():
        texts = {file.path: file.text for file in own}
        whole = {
            sample.key: (
                sample.path,
                texts[sample.path][: sample.start] + sample.answer + texts[sample.path][sample.end :],
            )
            for sample in samples
            if sample.package == package
        }
        variants: dict[str, list[str]] = {}
        for path, text in whole.values():
            variants.setdefault(path, []).append(text)
        errors = new_errors(own, variants) if variants else {}
        found |= {key: errors[place] == 0 for key, place in whole.items()}
        bar.advance(task)
    return found


def _print(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("method")
    table.caption = "EM exact match, ES edit similarity; clean: no new errors; passes and pauses a token"
    titles = {
        "line_em": "line EM", "es": "line ES", "block_em": "block EM", "block_es": "block ES", "parses": "parses",
        "clean": "clean", "logprob": "log p", "forward_passes": "passes", "pause_rate": "pauses",
    }  # fmt: skip
    for title in (*titles.values(), "n"):
        table.add_column(title, justify="right")
    for row in rows:
        cells = ["-" if row[key] is None else f"{row[key]:.3f}" for key in titles]
        table.add_row(row["method"], *cells, str(row["n"]))
    Console(stderr=not to_stdout, width=None if sys.stdout.isatty() else 130).print(table)
