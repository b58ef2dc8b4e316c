"""``guiderail bench typing``: what a person who types waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from guiderail.cli.options import OUTPUT

ENGINES = ("guiderail", "llama.cpp")


@click.command("typing")
@click.option("--engine", "engines", multiple=True, type=click.Choice(ENGINES), help="Only this one.  [default: both]")
@click.option("--model", default="embedded", show_default=True, metavar="REF", help="Whose weights both run.")
@click.option("--package", default="boltons", show_default=True, help="The held-out package that is typed in.")
@click.option("--files", type=click.IntRange(1, 20), default=3, show_default=True, help="Of the package are typed in.")
@click.option("--seconds", type=click.FloatRange(1), default=240, show_default=True, help="Of typing, for each engine.")
@click.option(
    "--rush-seconds",
    type=click.FloatRange(0),
    default=3600,
    show_default=True,
    help="Of typing given to guiderail as fast as it can, to see its memory behind it.",
)
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads of each engine.  [default: cores]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the files and the typing.")
@click.option("--quick", is_flag=True, help="40 seconds of typing: under three minutes on two cores.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
def bench_typing(engines: tuple[str, ...], quick: bool, target: str | None, **given: Any) -> None:
    """Milliseconds from key stroke to suggestion, beside llama.cpp's server, while somebody types.

    Types as people do (bursts, pauses, errors, undo, other places, other files) in a package that the model has never
    seen, at true speed, against the real servers.
    """
    import asyncio

    import torch

    from guiderail.benchmarks import typing as benchmark
    from guiderail.evaluation import measurement

    given["threads"] = given["threads"] or torch.get_num_threads()
    plan = benchmark.Plan(engines=engines or benchmark.ENGINES, **given)
    plan = benchmark.quick(plan) if quick else plan
    rows = _run(lambda progress: asyncio.run(benchmark.run(plan, benchmark.sources(plan), progress)))
    if target != "-":
        _print(rows)
    if target:
        from dataclasses import asdict

        libraries = ("xllamacpp", "gguf", "pygls")
        conditions = measurement.meta({"typing": plan.seed}, libraries=libraries, plan=asdict(plan))
        measurement.write(target, conditions, rows)


def _run(work: Callable[[Callable[[str, int], Callable[[], None]]], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    with Progress(*Progress.get_default_columns(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:

        def progress(name: str, steps: int) -> Callable[[], None]:
            task = bar.add_task(name, total=steps)
            return lambda: bar.advance(task)

        return work(progress)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "engine", "p50", "p95", "p50, not foreseen", "cancelled", "reused", "keys delayed", "memory", "requests"
    )
    table.title = "Key stroke to suggestion"
    for row in rows:
        shares = (f"{100 * row[key]:.1f} %" for key in ("cancelled", "reused", "delayed_keys"))
        times = (_ms(row[key]) for key in ("p50_ms", "p95_ms", "departed_p50_ms"))
        table.add_row(row["engine"], *times, *shares, f"{row['rss_mb']:.0f} MB", str(row["requests"]))
    Console().print(table)
    for row in rows:
        if row["rush_keys"]:
            click.echo(f"{row['engine']}: {row['rush_rss_mb']:.0f} MB behind {row['rush_keys']} more keys in a rush")


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} ms"
