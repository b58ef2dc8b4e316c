"""``guiderail bench monitors``: what monitors cost, and what they save."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from guiderail.cli.bench_options import DEVICE, MODELS, THREADS, device_of, report
from guiderail.cli.held_out import phases, progress
from guiderail.cli.study import JSON, Row, Table, quick, seed

QUICK = {"positions": 16, "tokens": 24}


def _waits(row: Row) -> str:
    return ", ".join(f"{kind} {wait['count']} ({wait['p50_ms']:.0f} ms)" for kind, wait in row["waits"].items())


MASKS = Table(
    {
        "tokens": "{vocabulary}",
        "names": "{identifiers}",
        "mask p50": "{mask_us_p50:,.0f}",
        "p99": "{mask_us_p99:,.0f}",
        "first": "{first_us_p50:,.0f}",
        "names known": "{again_us_p50:,.0f}",
        "rival: list": "{rival_list_us:,.0f}",
        "rival: looked up": "{rival_apply_us:,.0f}",
    },
    left=0,
    title="A mask, microseconds",
    caption="the rival makes its list and looks it up at every step",
)
SPEEDS = Table(
    {
        "model": "{model}",
        "monitors": "{monitors}",
        "file": lambda row: row["file"] or "",
        "drafter": "{drafter}",
        "tokens/s": "{tokens_per_s:.1f}",
        "a pass": "{tokens_per_pass:.2f}",
        "forward": "{forward_us:,.0f}",
        "waiting": "{wait_us:,.0f}",
        "other": "{other_us:,.0f}",
        "waits": _waits,
    },
    left=4,
    title="After dots",
    caption="forward, waiting, other: microseconds of a token; waits: how many questions, and their median; file: "
    "never seen by the analyser, or open in it as it was before the dot",
)


@click.command()
@MODELS
@DEVICE
@click.option("--n", "count", type=click.IntRange(1), help="Dereferences at which both sides write.")
@THREADS
@seed("sets of names, positions and weights")
@quick("Fewer rounds: under three minutes on two cores")
@JSON
def monitors(
    models: tuple[str, ...],
    device: str | None,
    count: int | None,
    threads: int | None,
    seed: int,
    quick: bool,
    target: str | None,
) -> None:
    """Microseconds of a mask beside a rival's, and tokens a second with monitors on and off.

    Random shapes: random-0.1B, random-0.5B, random-1.3B, random-6.7B.
    """
    from guiderail.benchmarks import monitored
    from guiderail.benchmarks import monitors as masks
    from guiderail.model.load import load
    from guiderail.model.threads import allow

    device = device_of(device)
    allow(threads or 0)
    plan = replace(masks.QUICK if quick else masks.Plan(), seed=seed)
    named = models or (("embedded",) if device == "cpu" else ("embedded", "random-1.3B"))
    size: dict[str, Any] = (QUICK if quick else {}) | ({"positions": count} if count else {})
    speed = monitored.Plan(models=named, device=device, seed=seed, **size)
    with progress() as bar:
        phase = phases(bar)
        costs = list(masks.rows(plan, phase("masks", len(plan.vocabularies) * len(plan.identifiers))))
        speeds = monitored.run(speed, lambda name: load(name, device=device, threads=threads or 0), phase)
    conditions = {"libraries": ("pyrefly",), "masks": asdict(plan), "decoding": asdict(speed)}
    lines = [_steps(row) for row in {row["model"]: row for row in speeds}.values()]
    seeds = {"names": seed, "positions": seed, "weights": seed}
    report(target, {MASKS: costs, SPEEDS: speeds}, seeds, lines=lines, **conditions)


def _steps(row: Row) -> str:
    transfer, sampler = f"{row['transfer_us']:.0f} us", f"{row['sampler_us']:.0f} us"
    return f"{row['model']}: a mask's way to the scores {transfer}, choosing a token {sampler}"
