"""``guiderail bench typing``: what a person who types waits for."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from guiderail.cli.bench_options import BUILD, THREADS, report
from guiderail.cli.held_out import phases, progress
from guiderail.cli.study import JSON, Row, Table, quick, seed

ENGINES = ("guiderail", "llama.cpp")


def _ms(row: Row, key: str) -> str:
    return "none" if row[key] is None else f"{row[key]:.0f} ms"


TABLE = Table(
    {
        "engine": "{engine}",
        "dtype": "{dtype}",
        "p50": partial(_ms, key="p50_ms"),
        "p95": partial(_ms, key="p95_ms"),
        "p50, not foreseen": partial(_ms, key="departed_p50_ms"),
        "cancelled": "{cancelled:.1%}",
        "reused": "{reused:.1%}",
        "keys delayed": "{delayed_keys:.1%}",
        "memory": "{rss_mb:.0f} MB",
        "requests": "{requests}",
    },
    title="Key stroke to suggestion",
)


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
    help="Of typing given to guiderail as fast as it can, to see its memory after it.",
)
@THREADS
@click.option(
    "--rival",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE.gguf",
    help="Another file of the model for llama.cpp.",
)
@BUILD
@seed("the files and the typing")
@quick("40 seconds of typing: under three minutes on two cores")
@JSON
def bench_typing(engines: tuple[str, ...], quick: bool, target: str | None, **given: Any) -> None:
    """Milliseconds from key stroke to suggestion, beside llama.cpp's server, while somebody types.

    Types as people do (bursts, pauses, errors, undo, other places, other files) in a package that the model has never
    seen, at true speed, against the real servers.
    """
    import asyncio

    import torch

    from guiderail.benchmarks import typing as benchmark

    given["threads"] = given["threads"] or torch.get_num_threads()
    plan = benchmark.Plan(engines=engines or benchmark.ENGINES, **given)
    plan = benchmark.quick(plan) if quick else plan
    with progress() as bar:
        rows = asyncio.run(benchmark.run(plan, benchmark.sources(plan), phases(bar)))
    lines = [_rushed(row) for row in rows if row["rush_keys"]]
    conditions = {"libraries": ("xllamacpp", "gguf", "pygls"), "plan": asdict(plan)}
    report(target, {TABLE: rows}, {"typing": plan.seed}, lines=lines, **conditions)


def _rushed(row: Row) -> str:
    return f"{row['engine']}: {row['rush_rss_mb']:.0f} MB after {row['rush_keys']} more keys in a rush"
