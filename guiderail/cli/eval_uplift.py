"""``guiderail eval uplift``: what monitors are worth, on code of packages that nobody trained on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.engine.completer import Completer
    from guiderail.evaluation.dereferences import Dereference
    from guiderail.evaluation.manifest import Package
    from guiderail.evaluation.packages import SourceFile
    from guiderail.evaluation.samples import SampleLog
    from guiderail.evaluation.uplift import Draw, Plan
    from guiderail.model.model import Model
    from guiderail.monitors.analysis.server import Server


@click.command()
@click.option("--quick", is_flag=True, help="Fewer packages and positions, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Positions of each package.")
@click.option("--draws", type=click.IntRange(0), help="Draws at each position; 0 for the greedy answer alone.")
@click.option("--packages", "limit", type=click.IntRange(1), help="How many packages.")
@click.option("--judge", metavar="NAME", help="The analyser that finds errors.  [default: ty, or the monitors' own]")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of positions and draws.  [default: 0]")
@click.option("--samples", metavar="FILE.jsonl", help="Keep every answer there, and go on where an earlier run ended.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
@setting_flags("model", "device", "dtype", "threads", "only_monitors", "analyser")
def uplift(
    quick: bool,
    count: int | None,
    draws: int | None,
    limit: int | None,
    judge: str | None,
    seed: int,
    samples: str | None,
    target: str | None,
    **flags: Any,
) -> None:
    """How much more is right with monitors on than with monitors off, after the dots of true code.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval uplift --quick
    guiderail eval uplift --samples answers.jsonl --json uplift.json
    """
    from guiderail.evaluation import manifest, packages, record
    from guiderail.evaluation import uplift as measure
    from guiderail.evaluation.samples import SampleLog
    from guiderail.model.load import load
    from guiderail.monitors.analysis.servers import choose

    plan = replace(measure.QUICK if quick else measure.FULL, seed=seed)
    plan = replace(plan, positions=count or plan.positions, packages=limit or plan.packages)
    plan = plan if draws is None else replace(plan, samples=draws)
    settings = resolved(flags).settings
    server = choose("python", settings.analyser)
    if server is None:
        raise UsageError("there is no analyser to ask", "Install one: pip install pyrefly")
    other = choose("python", judge or "ty") or (None if judge else server)
    if other is None:
        raise UsageError(f"the analyser {judge} is not installed", "Name another one by --judge")
    size = {"packages": plan.packages, "positions": plan.positions}
    conditions = {
        "model": settings.model,
        "analyser": server.name,
        "judge": other.name,
        "only_monitors": settings.only_monitors,
        "plan": {key: value for key, value in asdict(plan).items() if key not in size},
        "manifest_sha256": packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT),
        "builder": packages.BUILDER,
    }
    log = SampleLog(Path(samples), measure.Draw, conditions) if samples else None
    model = load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    rows = measure.rows(_measured(model, (server, other), settings.only_monitors, plan, log), plan)
    if target != "-":
        _print(rows)
    if target:
        seeds = {"positions": seed, "draws": seed, "bootstrap": seed}
        record.write(target, record.meta(seeds, libraries=(server.name, other.name), **size, **conditions), rows)


def _measured(
    model: Model, servers: tuple[Server, Server], names: str, plan: Plan, log: SampleLog[Draw] | None
) -> list[Draw]:
    """The answers at all positions; those that the log holds are not asked for again."""
    from guiderail.engine.completer import Completer
    from guiderail.evaluation import manifest
    from guiderail.evaluation import uplift as measure
    from guiderail.evaluation.dereferences import draw_dereferences

    pinned = {p.name: p for p in manifest.read_manifest(manifest.datasets_folder() / manifest.DEFAULT)}
    completer = Completer(model, prompt_tokens=plan.prompt_tokens)
    done = measure.whole_places(log.samples if log else (), plan)
    draws: list[Draw] = []
    with progress() as bar:
        files = held_out(plan.packages, bar)
        task = bar.add_task("completing", total=len(files) * plan.positions)
        for name, own in files.items():
            chosen = draw_dereferences(own, plan.positions, plan.seed)
            keys = [(name, one.file.path, one.start) for one in chosen]
            draws += [draw for key in keys for draw in done.get(key, ())]
            todo = [one for one, key in zip(chosen, keys, strict=True) if key not in done]
            bar.advance(task, plan.positions - len(todo))
            for found in _answers(completer, servers, names, plan, todo, own, pinned[name]) if todo else ():
                draws += found
                if log:
                    log.add(found)
                bar.advance(task)
    return draws


def _answers(
    completer: Completer,
    servers: tuple[Server, Server],
    names: str,
    plan: Plan,
    todo: Sequence[Dereference],
    own: Sequence[SourceFile],
    package: Package,
) -> Iterator[list[Draw]]:
    """The answers at each position of one package, with an analyser for the monitors and a judge of its own."""
    from guiderail.evaluation import packages, soundness
    from guiderail.evaluation import uplift as measure
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.monitors.monitors import Monitors

    try:
        root = soundness.prepare(package, own, packages.cache_folder())
    except soundness.EnvironmentFailedError as error:
        click.echo(f"{package.name} is left out: {error}", err=True)
        return
    pool, judges = (ServerPool(server.name, trust="always") for server in servers)
    try:
        monitors = Monitors(completer.vocabulary, pool, deadline_s=soundness.ANSWER_S, names=names)
        analyser = judges.get("python", root)
        assert analyser is not None, "the server was found before"
        judge = measure.Judge(analyser)
        for position in todo:
            yield measure.ask(completer, monitors, judge, position, root, plan)
    finally:
        pool.stop()
        judges.stop()


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    caption = "score@k; what monitors add is in brackets with its paired 95 % interval over packages"
    table = Table("method", "k", "monitors", caption=caption)
    for title in ("next identifier", "identifiers", "prefix", "no new errors", "n"):
        table.add_column(title, justify="right")
    for row in rows:
        cells = [_cell(row, name) for name in ("nim", "ism", "pm", "clean")]
        table.add_row(row["method"], str(row["k"]), row["monitors"], *cells, str(row["n"]))
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _cell(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    added = row.get("against_off", {}).get(name)
    if added is None:
        return f"{row[name]:.1%}"
    low, high = added["interval"]
    return f"{row[name]:.1%}\n[{added['difference']:+.1%}: {low:+.1%}, {high:+.1%}]"
