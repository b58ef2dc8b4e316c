"""``guiderail eval layout``: which order of the prompt suits a model that is typed into."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags


@click.command()
@click.option("--quick", is_flag=True, help="A few files, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Files that are written in.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the files and places.  [default: 0]")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("model", "device", "dtype", "threads")
def layout(quick: bool, count: int | None, seed: int, target: str | None, **flags: Any) -> None:
    """Replay typing in held-out files: what each order of the prompt has to encode again, and how well it completes.

    \b
    guiderail eval layout --quick
    """
    from guiderail.evaluation import layouts as evaluation
    from guiderail.evaluation import manifest, packages, record
    from guiderail.model.load import load

    plan = replace(evaluation.QUICK if quick else evaluation.FULL, seed=seed)
    plan = replace(plan, traces=count) if count else plan
    settings = resolved(flags).settings
    model = load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    ways = len(evaluation.known(model)) * len(evaluation.POLICIES)
    with progress() as bar:
        drawn = evaluation.traces(held_out(plan.packages, bar), plan)
        task = bar.add_task("typing", total=len(drawn) * ways)
        found = list(evaluation.evaluate(model, drawn, plan, advance=lambda: bar.advance(task)))
    rows = evaluation.rows(found)
    _print(rows, to_stdout=target != "-")
    if target:
        digest = packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT)
        conditions = {"model": model.info.name, "plan": asdict(plan), "manifest_sha256": digest}
        record.write(target, record.meta({"traces": seed}, **conditions), rows)


def _print(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("layout", "policy", title="Typing, word by word")
    for title in ("states", "encoded again", "stale", "fit p50", "mean", "p95", "lines", "EM", "ES"):
        table.add_column(title, justify="right")
    for row in rows:
        judged = row["judged"]
        table.add_row(
            row["layout"],
            row["policy"],
            str(row["n"]),
            f"{row['encoded']:.0f} of {row['tokens']:.0f} ({row['encoded_share']:.1%})",
            f"{row['stale']:.0f}",
            *(f"{row[key]:.0f} ms" for key in ("fit_ms_p50", "fit_ms_mean", "fit_ms_p95")),
            str(judged),
            *(f"{row[key]:.3f}" if judged else "-" for key in ("em", "es")),
        )
    Console(stderr=not to_stdout, width=None if sys.stdout.isatty() else 130).print(table)
