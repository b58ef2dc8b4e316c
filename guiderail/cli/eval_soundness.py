"""``guiderail eval soundness``: how often monitors would forbid what authors wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, progress
from guiderail.cli.options import OUTPUT
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.evaluation.packages import SourceFile
    from guiderail.evaluation.soundness import Plan, Run
    from guiderail.monitors.analysis.server import Server
    from guiderail.monitors.monitor import Monitor

LIBRARIES = ("pyrefly", "ty", "basedpyright", "jedi-language-server")
PIPE_WIDTH = 150  # columns of the table where no terminal says how wide it is


@click.command()
@click.option(
    "--monitor", "watching", default="all", metavar="NAMES", help="Which monitors, with commas.  [default: all]"
)
@click.option("--analyser", "names", multiple=True, metavar="NAME", help="Who is asked; may be given several times.")
@click.option("--quick", is_flag=True, help="Fewer packages and positions, under three minutes on two cores.")
@click.option("--n", "count", type=click.IntRange(1), help="Positions of each monitor in each package.")
@click.option("--packages", "limit", type=click.IntRange(1), help="How many packages.")
@click.option("--skip", type=click.IntRange(0), default=0, help="Packages to leave out at the beginning.  [default: 0]")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A project instead.")
@click.option("--language", default="python", help="Of the project.  [default: python]")
@click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the positions.  [default: 0]")
@click.option("--trust", type=OUTPUT, help="Enter how often each analyser was right into a table.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
def soundness(
    watching: str,
    names: tuple[str, ...],
    quick: bool,
    count: int | None,
    limit: int | None,
    skip: int,
    folder: Path | None,
    language: str,
    seed: int,
    trust: str | None,
    target: str | None,
) -> None:
    """How often monitors would forbid what the author wrote.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval soundness --quick
    guiderail eval soundness --analyser pyrefly --analyser ty --monitor dereference
    guiderail eval soundness --folder ~/project --language typescript
    """
    from guiderail.evaluation import record
    from guiderail.evaluation import soundness as measure
    from guiderail.monitors.registry import chosen, for_language

    plan = replace(measure.QUICK if quick else measure.FULL, seed=seed, skip=skip)
    plan = replace(plan, positions=count or plan.positions, packages=limit or plan.packages)
    monitors = for_language(chosen(watching), language)
    if not monitors:
        raise UsageError(f"no monitor of {watching!r} knows {language}", "Choose others with --monitor")
    servers = _servers(names, language)
    runs = _runs(servers, monitors, plan, folder, language)
    rows = [
        measure.row(language, monitor.name, server.name, runs[server.name], seed)
        for server in servers
        for monitor in monitors
    ]
    if target != "-":
        _print(rows)
    if trust:
        _write_trust(trust, measure.trust_rows(rows))
    if target:
        meta = record.meta({"positions": seed, "bootstrap": seed}, libraries=LIBRARIES, plan=asdict(plan))
        record.write(target, meta, rows)


def _servers(names: Iterable[str], language: str) -> list[Server]:
    from guiderail.monitors.analysis.servers import choose, server_named

    servers = [server_named(name) for name in names] or [s for s in [choose(language)] if s]
    missing = [server for server in servers if server.find() is None]
    if missing or not servers:
        how = f"Install one: {missing[0].obtain}" if missing else "See guiderail analysers ls"
        raise UsageError("there is no analyser to ask", how)
    return servers


def _runs(
    servers: Sequence[Server], monitors: Sequence[Monitor], plan: Plan, folder: Path | None, language: str
) -> dict[str, list[Run]]:
    """What each analyser answered, project by project."""
    from guiderail.evaluation import soundness as measure

    runs: dict[str, list[Run]] = {server.name: [] for server in servers}
    with progress() as bar:
        if folder is not None:
            projects = {folder.name: measure.folder_files(folder, language)}
        else:
            wanted = plan.packages + plan.skip if plan.packages else None
            projects = dict(list(held_out(wanted, bar).items())[plan.skip :])
        task = bar.add_task("asking", total=len(projects) * plan.positions * len(servers) * len(monitors))
        for name, files in projects.items():
            root = folder or _prepared(name, files)
            if root is None or not files:
                continue
            found = [p for m in monitors for p in measure.positions(files, root, m, plan.positions, plan.seed)]
            for server in servers:
                runs[server.name].append(measure.replay(found, root, server, lambda: bar.advance(task)))
    return runs


def _prepared(name: str, files: Sequence[SourceFile]) -> Path | None:
    """The project that holds a package; None, with a line that says why, if it cannot be made."""
    from guiderail.evaluation import manifest, packages
    from guiderail.evaluation import soundness as measure

    pinned = {p.name: p for p in manifest.read_manifest(manifest.datasets_folder() / manifest.DEFAULT)}
    try:
        return measure.prepare(pinned[name], files, packages.cache_folder())
    except measure.EnvironmentFailedError as error:
        click.echo(f"{name} is left out: {error}", err=True)
        return None


def _write_trust(target: str, rows: Sequence[Mapping[str, Any]]) -> None:
    kept = [] if target == "-" else _kept(Path(target), rows)
    lines = ",\n".join(f"  {json.dumps(row)}" for row in [*kept, *rows])
    text = '{"rows": [\n' + lines + "\n]}\n"
    if target == "-":
        click.echo(text, nl=False)
    else:
        Path(target).write_text(text, encoding="utf-8")


def _kept(table: Path, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a table says of monitors and analysers that were not measured now."""
    measured = {(row["language"], row["monitor"], row["analyser"]) for row in rows}
    if not table.exists():
        return []
    known = json.loads(table.read_text(encoding="utf-8"))["rows"]
    return [row for row in known if (row["language"], row["monitor"], row["analyser"]) not in measured]


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(caption="shares of triggers, 95 % intervals over packages in brackets")
    for title in ("monitor", "analyser", "triggers", "constrained", "truth forbidden", "set size", "ms p50", "p95"):
        table.add_column(title, justify="left" if title in ("monitor", "analyser") else "right")
    for row in rows:
        shares = [row["constrained_share"], row["forbidden_share"]]
        cells = [f"{s['share']:.1%} [{s['interval'][0]:.1%}, {s['interval'][1]:.1%}]" if s else "-" for s in shares]
        figures = [row[key] for key in ("set_size", "answer_ms_p50", "answer_ms_p95")]
        numbers = ["-" if value is None else f"{value:.0f}" for value in figures]
        table.add_row(row["monitor"], row["analyser"], str(row["triggers"]), *cells, *numbers)
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)
    for row in rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in row["abstained"].items())
        click.echo(f"{row['monitor']} ({row['analyser']}) abstained: {reasons or 'never'}")
