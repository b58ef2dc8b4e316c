"""``guiderail eval precision``: what a precision costs in quality, and gains in speed and memory."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags

COMPARED = "int8,bfloat16"


@click.command()
@click.option("--quick", is_flag=True, help="A few lines; some minutes for a model of half a billion parameters.")
@click.option("--n", "count", type=click.IntRange(1), help="Lines to complete.")
@click.option(
    "--dtypes",
    default=COMPARED,
    show_default=True,
    help="Precisions to compare with float32, with commas between them.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the lines.  [default: 0]")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("model", "device", "threads")
def precision(quick: bool, count: int | None, dtypes: str, seed: int, target: str | None, **flags: Any) -> None:
    """Complete lines of held-out packages in several precisions: what is lost against float32, and what it takes.

    \b
    guiderail eval precision --model FOLDER --quick --json -
    """
    from guiderail.evaluation import manifest, packages, record
    from guiderail.evaluation import precision as evaluation
    from guiderail.model.load import load

    plan = replace(evaluation.QUICK if quick else evaluation.FULL, seed=seed)
    plan = replace(plan, lines=count) if count else plan
    settings = resolved(flags).settings
    compared = [name.strip() for name in dtypes.split(",") if name.strip()]
    with progress() as bar:
        tasks = evaluation.lines(held_out(plan.packages, bar), plan)
        task = bar.add_task("lines", total=len(tasks) * (1 + len(set(compared) - {evaluation.REFERENCE})))

        def in_precision(dtype: str) -> Any:
            return load(settings.model, device=settings.device, dtype=dtype, threads=settings.threads)

        found = evaluation.evaluate(in_precision, compared, tasks, plan, advance=lambda: bar.advance(task))
        rows = list(found)
    _print(rows, to_stdout=target != "-")
    if target:
        digest = packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT)
        conditions = {"model": settings.model, "plan": asdict(plan), "manifest_sha256": digest}
        record.write(target, record.meta({"lines": seed}, **conditions), rows)


def _print(rows: list[dict[str, Any]], *, to_stdout: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("dtype", title=f"Precision, {rows[0]['lines']} rests of lines")
    titles = ("KL", "top-1", "bits/byte", "exact", "lost (95 %)", "prefill", "1 row", "4", "8", "16", "load", "memory")
    for title in titles:
        table.add_column(title, justify="right")
    for row in rows:
        low, high = row["exact_lost_interval"]
        table.add_row(
            row["dtype"],
            f"{row['kl']:.1e}",
            f"{row['top1']:.1%}",
            f"{row['bits_per_byte']:.3f}",
            f"{row['exact']:.1%}",
            f"{100 * row['exact_lost']:.1f} [{100 * low:.1f}, {100 * high:.1f}]",
            f"{row['prefill_tokens_per_s']:.0f} tokens/s",
            *(f"{row['ms_of_rows'][rows_]:.1f} ms" for rows_ in ("1", "4", "8", "16")),
            f"{row['load_s']:.1f} s",
            f"{row['memory_mb']:.0f} MB",
        )
    Console(stderr=not to_stdout, width=None if sys.stdout.isatty() else 150).print(table)
