"""``guiderail bench methods``: what each way to decode costs beside plain greedy decoding."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from guiderail.cli.bench_options import THREADS, report
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.study import JSON, Table, quick

TABLE = Table(
    {
        "method or drafter": "{method}",
        "tokens/s": "{tokens_per_s:.1f}",
        "× greedy": "{ratio_to_greedy:.2f}",
        "tokens a pass": "{accepted_per_pass:.2f}",
        "same text": "{same_text:.0%}",
        "device": "{device}",
    },
    title="Ways to decode",
    missing="",
)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--model", default="embedded", show_default=True, metavar="REF", help="The model.")
@setting_flags("device", "dtype", "draft_model")
@THREADS
@quick("Fewer, shorter texts: under three minutes on two cores")
@JSON
def methods(names: tuple[str, ...], quick: bool, target: str | None, **flags: Any) -> None:
    """Tokens a second of each method and drafter, and tokens that a forward pass yields.

    NAMES are some of those that guiderail methods lists; by default all that need nothing but a cursor. With a draft
    model each shape of its drafts is measured too.
    """
    from guiderail.benchmarks import methods as benchmark
    from guiderail.decoding.registry import find

    for name in names:
        find(name)
    plan = replace(benchmark.QUICK if quick else benchmark.Plan(), only=names)
    settings = resolved(flags).settings
    rows = list(benchmark.run(settings, plan, _skipped))
    report(target, {TABLE: rows}, {"sampling": 0}, plan=asdict(plan), threads=flags["threads"])


def _skipped(name: str, why: str) -> None:
    click.echo(f"left out {name}: {why}", err=True)
