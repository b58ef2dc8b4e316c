"""``guiderail eval repetition``: whether decoding loops, and what stopping it costs."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.repetition import Plan, Sample, Task
    from guiderail.model.model import Model


@click.command()
@click.option("--model", "name", metavar="MODEL", help="What to measure.  [default: the model that is set]")
@click.option("--quick", is_flag=True, help="A few cursors, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Cursors of each scenario.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the cursors and draws.  [default: 0]")
@click.option("--samples", metavar="FILE.jsonl", help="Keep every answer here; a broken run goes on where it ended.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("device", "dtype", "threads")
def repetition(
    name: str | None, quick: bool, count: int | None, seed: int, samples: str | None, target: str | None, **flags: Any
) -> None:
    """Greedy decoding, sampling, the repetition penalty and RPG: where code repeats, and where it does not.

    \b
    guiderail eval repetition --quick
    guiderail eval repetition --samples repetition.jsonl --json repetition.json
    """
    from guiderail.evaluation import manifest, packages, record
    from guiderail.evaluation import repetition as evaluation
    from guiderail.model.load import load

    plan = evaluation.quick(replace(evaluation.QUICK if quick else evaluation.FULL, seed=seed), count)
    settings = resolved(flags).settings
    model = load(name or settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    with progress() as bar:
        drawn = evaluation.tasks(held_out(plan.packages, bar), plan)
        found = _answers(model, drawn, plan, samples, bar)
    rows = evaluation.rows(found, seed=seed)
    _print(rows, to_stdout=target != "-")
    if target:
        digest = packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT)
        conditions = {"model": model.info.name, "plan": asdict(plan), "manifest_sha256": digest}
        seeds = {"cursors": seed, "sampling": seed, "bootstrap": seed}
        record.write(target, record.meta(seeds, **conditions), rows)


def _answers(model: Model, drawn: list[Task], plan: Plan, kept: str | None, bar: Progress) -> list[Sample]:
    from guiderail.evaluation import repetition as evaluation
    from guiderail.evaluation.samples import answered

    task = bar.add_task("answering", total=len(drawn) * len(evaluation.METHODS))
    evaluate = partial(evaluation.evaluate, model, drawn, plan, advance=lambda: bar.advance(task))
    run = {"model": model.info.name, "n": len(drawn), **asdict(plan)}
    return answered(evaluate, evaluation.Sample, run, kept)


def _print(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("scenario", "method")
    table.caption = "EGP: ended by the model; TR-N, TR-S: repeated 4-grams of rules, repeated statements; EM, ES: lines"
    titles = {
        "egp": "EGP", "tr_n": "TR-N", "tr_s": "TR-S", "parses": "parses", "length": "tokens", "time_s": "s",
        "stage_ms": "stage ms",
        "line_em": "EM", "es": "ES",
    }  # fmt: skip
    for title in (*titles.values(), "n"):
        table.add_column(title, justify="right")
    for row in rows:
        figures = (row.get(key) for key in titles)
        cells = ["-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.0f}" for value in figures]
        table.add_row(row["scenario"], row["method"], *cells, str(row["n"]))
    Console(stderr=not to_stdout, width=None if sys.stdout.isatty() else 130).print(table)
