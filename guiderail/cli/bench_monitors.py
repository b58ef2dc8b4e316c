"""``guiderail bench monitors``: what monitors cost, and what they save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import click

from guiderail.cli.options import OUTPUT

QUICK = {"positions": 16, "tokens": 24}


@click.command()
@click.option("--model", "models", multiple=True, metavar="REF", help="A model or a random shape; repeat for several.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default=None, help="Where to run.  [default: a GPU if found]"
)
@click.option("--n", "count", type=click.IntRange(1), help="Dereferences at which both sides write.")
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads.  [default: cores]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of sets of names, positions and weights.")
@click.option("--quick", is_flag=True, help="Fewer rounds: under three minutes on two cores.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
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
    import torch

    from guiderail.benchmarks import monitored
    from guiderail.benchmarks import monitors as masks
    from guiderail.evaluation import measurement
    from guiderail.model.threads import allow

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    allow(threads or 0)
    plan = replace(masks.QUICK if quick else masks.Plan(), seed=seed)
    speed = monitored.Plan(
        models=models or (("embedded",) if device == "cpu" else ("embedded", "random-1.3B")), device=device, seed=seed
    )
    speed = replace(speed, **(QUICK if quick else {}))
    speed = replace(speed, positions=count or speed.positions)
    costs, speeds = _run(plan, speed, threads or 0)
    if target != "-":
        _print_masks(costs)
        _print_speeds(speeds)
    if target:
        seeds = {"names": seed, "positions": seed, "weights": seed}
        conditions = measurement.meta(seeds, libraries=("pyrefly",), masks=asdict(plan), decoding=asdict(speed))
        measurement.write(target, conditions, [*costs, *speeds])


def _run(plan: Any, speed: Any, threads: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    from guiderail.benchmarks import monitored
    from guiderail.benchmarks import monitors as masks
    from guiderail.model.load import load

    with Progress(*Progress.get_default_columns(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:

        def progress(name: str, steps: int) -> Callable[[], None]:
            task = bar.add_task(name, total=steps)
            return lambda: bar.advance(task)

        done = progress("masks", len(plan.vocabularies) * len(plan.identifiers))
        costs = list(masks.rows(plan, done))
        speeds = monitored.run(speed, lambda name: load(name, device=speed.device, threads=threads), progress)
    return costs, speeds


def _print_masks(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("tokens", "names", "mask p50", "p99", "first", "names known", "rival: list", "rival: looked up")
    table.title, table.caption = "A mask, microseconds", "the rival makes its list and looks it up at every step"
    for row in rows:
        keys = ("mask_us_p50", "mask_us_p99", "first_us_p50", "again_us_p50", "rival_list_us", "rival_apply_us")
        table.add_row(str(row["vocabulary"]), str(row["identifiers"]), *(f"{row[key]:,.0f}" for key in keys))
    Console().print(table)


def _print_speeds(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("monitors", "file", "drafter", "tokens/s", "a pass", "forward", "waiting", "other", "waits")
    table.title = f"Behind dots, {' and '.join(dict.fromkeys(row['model'] for row in rows))}"
    table.caption = (
        "forward, waiting, other: microseconds of a token; waits: how many questions, and their median; file: never "
        "seen by the analyser, or open in it as it was before the dot"
    )
    for row in rows:
        waits = ", ".join(f"{kind} {w['count']} ({w['p50_ms']:.0f} ms)" for kind, w in row["waits"].items())
        parts = (f"{row[key]:,.0f}" for key in ("forward_us", "wait_us", "other_us"))
        names = row["monitors"], row["file"] or "", row["drafter"]
        speed = f"{row['tokens_per_s']:.1f}", f"{row['tokens_per_pass']:.2f}"
        table.add_row(*names, *speed, *parts, waits)
    Console().print(table)
    for row in {row["model"]: row for row in rows}.values():
        click.echo(
            f"{row['model']}: a mask's way to the scores {row['transfer_us']:.0f} us, choosing a token "
            f"{row['sampler_us']:.0f} us"
        )
