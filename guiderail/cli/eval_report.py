"""``guiderail eval report``: runs and measurements as tables in the terminal and as one HTML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import OUTPUT
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.evaluation.summary import Run

PIPE_WIDTH = 170  # columns of the table where no terminal says how wide it is


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--html", metavar="FILE", type=OUTPUT, help="Write one HTML file that needs no network.")
@click.option("--json", "target", type=OUTPUT, help="Write the tables as JSON; - is standard output.")
def report(runs: tuple[str, ...], html: str | None, target: str | None) -> None:
    """Show runs: folders of guiderail eval run, or --json files of any other eval or bench command.

    \b
    guiderail eval report runs/quick --html report.html
    guiderail eval report runs/quick pie.json decode.json --html report.html
    """
    show([Path(run) for run in runs], html, target)


def show(paths: Sequence[Path], html: str | None, target: str | None = None) -> None:
    """Print the tables of runs and other measurements, and write them where it is asked for."""
    from guiderail.evaluation import html_report, measurement, run_folder, summary

    others = {path.stem: _measurement(run_folder.read_json(path), path) for path in paths if not path.is_dir()}
    runs = [(run, summary.rows(run)) for path in paths if path.is_dir() for run in [summary.read_run(path)]]
    for run, found in runs:
        _print(run, found, to_stdout=target != "-")
    for name, measured in others.items():
        _print_other(name, measured["rows"], to_stdout=target != "-")
    if html:
        _write(html, html_report.page(runs, others))
        click.echo(f"the report is in {html}", err=True)
    if target and runs:
        measurement.write(target, runs[0][0].meta, [row for _, found in runs for row in found])


def _measurement(found: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    if not isinstance(found.get("rows"), list) or not isinstance(found.get("meta"), dict):
        raise UsageError(
            f"{path} is not a measurement", "Name a run's folder, or a --json file of an eval or bench command"
        )
    return found


def _write(target: str, text: str) -> None:
    try:
        with click.open_file(target, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", "Choose another file") from error


def _print(run: Run, rows: Sequence[Mapping[str, Any]], *, to_stdout: bool) -> None:
    from rich.table import Table

    from guiderail.evaluation.scoring import MEASURES

    for kind in dict.fromkeys(row["tasks"] for row in rows):
        found = [row for row in rows if row["tasks"] == kind]
        columns = [name for name in dict.fromkeys(n for row in found for n in row["intervals"]) if _is_shown(name)]
        caption = "95 % intervals over packages; then the difference to the same without monitors, or greedily"
        title = f"{run.name}: {kind}, {found[0]['n']} tasks of {found[0]['packages']} packages"
        table = Table(*(("model",) if len({row["model"] for row in found}) > 1 else ()), title=title, caption=caption)
        table.add_column("method")
        table.add_column("monitors")
        for name in columns:
            measure, _, k = name.partition("@")
            table.add_column(MEASURES[measure] + (f"@{k}" if k else ""), justify="right")
        for heading in ("s p50", "p95", "forbidden"):
            table.add_column(heading, justify="right")
        for row in found:
            times = [f"{row['seconds_p50']:.2f}", f"{row['seconds_p95']:.2f}", str(row["forbidden_tokens"])]
            names = [Path(row["model"]).name, row["method"], row["monitors"]]
            named = names[-len(table.columns) + len(columns) + len(times) :]
            table.add_row(*named, *(_cell(row, name) for name in columns), *times)
        _console(to_stdout).print(table)


def _is_shown(name: str) -> bool:
    """Whether a terminal has room for it: of the best of k only what is compared most."""
    return "@" not in name or name.partition("@")[0] in {"compiles", "nim"}


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    low, high = row["intervals"][name]
    lines = [f"{row[name]:.3f}", f"{low:.2f}–{high:.2f}"]
    lines += [f"{d[name]['difference']:+.3f}" for d in row["against"].values() if name in d]
    return "\n".join(lines)


def _print_other(name: str, rows: Sequence[Mapping[str, Any]], *, to_stdout: bool) -> None:
    from rich.table import Table

    keys = [
        k
        for k in dict.fromkeys(k for row in rows for k in row)
        if any(isinstance(r.get(k), str | int | float) for r in rows)
    ]
    table = Table(*keys, title=name)
    for row in rows:
        values = [row.get(key) for key in keys]
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else "" if v is None else str(v) for v in values))
    _console(to_stdout).print(table)


def _console(to_stdout: bool) -> Any:
    from rich.console import Console

    width = None if (sys.stdout if to_stdout else sys.stderr).isatty() else PIPE_WIDTH
    return Console(stderr=not to_stdout, width=width)
