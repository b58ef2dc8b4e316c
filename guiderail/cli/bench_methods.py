"""``guiderail bench methods``: what each way to decode costs beside plain greedy decoding."""

from __future__ import annotations

from typing import Any

import click

from guiderail.cli.options import OUTPUT


@click.command()
@click.argument("names", nargs=-1)
@click.option("--model", default="embedded", show_default=True, metavar="REF", help="The model.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads.  [default: cores]")
@click.option("--quick", is_flag=True, help="Fewer, shorter texts: under three minutes on two cores.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
def methods(
    names: tuple[str, ...], model: str, device: str, threads: int | None, quick: bool, target: str | None
) -> None:
    """Tokens a second of each method and drafter, and tokens that a forward pass yields.

    NAMES are some of those that guiderail methods lists; by default all that need nothing but a cursor.
    """
    from dataclasses import asdict, replace

    from guiderail.benchmarks import methods as benchmark
    from guiderail.decoding.registry import find
    from guiderail.evaluation import measurement
    from guiderail.model.load import load

    for name in names:
        find(name)
    plan = replace(benchmark.QUICK if quick else benchmark.Plan(), only=names)
    loaded = load(model, device=device, threads=threads or 0)
    rows = list(benchmark.run(loaded, plan, _skipped))
    if target != "-":
        _print(rows)
    if target:
        measurement.write(target, measurement.meta({"sampling": 0}, plan=asdict(plan), threads=threads), rows)


def _skipped(name: str, why: str) -> None:
    click.echo(f"left out {name}: {why}", err=True)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("method or drafter", "tokens/s", "× greedy", "tokens a pass", "device", title="Ways to decode")
    for row in rows:
        accepted = "" if row["accepted_per_pass"] is None else f"{row['accepted_per_pass']:.2f}"
        rate, ratio = f"{row['tokens_per_s']:.1f}", f"{row['ratio_to_greedy']:.2f}"
        table.add_row(row["method"], rate, ratio, accepted, row["device"])
    Console().print(table)
