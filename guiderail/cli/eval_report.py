"""``guiderail eval report``: runs and measurements as tables in the terminal and as one HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import OUTPUT
from guiderail.cli.study import Cell, Row, Table
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from guiderail.evaluation.summary import Run

WIDTH = 170  # of a table where no terminal says how wide it is


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
    tables = [table for run, found in runs for table in _tables(run, found)]
    tables += [(_table_of(name, measured["rows"]), measured["rows"]) for name, measured in others.items()]
    for table, rows in tables:
        table.show(rows, to_stdout=target != "-")
    if html:
        measurement.write_text(html, html_report.page(runs, others))
        click.echo(f"the report is in {html}", err=True)
    if target and runs:
        measurement.write(target, runs[0][0].meta, [row for _, found in runs for row in found])


def _measurement(found: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    if not isinstance(found.get("rows"), list) or not isinstance(found.get("meta"), dict):
        raise UsageError(
            f"{path} is not a measurement", "Name a run's folder, or a --json file of an eval or bench command"
        )
    return found


def _tables(run: Run, rows: Sequence[Row]) -> Iterator[tuple[Table, list[Row]]]:
    """A table of each kind of tasks, and its rows."""
    from guiderail.evaluation.scoring import MEASURES

    for kind in dict.fromkeys(row["tasks"] for row in rows):
        found = [row for row in rows if row["tasks"] == kind]
        names = [name for name in dict.fromkeys(n for row in found for n in row["intervals"]) if _is_shown(name)]
        several = len({row["model"] for row in found}) > 1
        words: dict[str, Cell] = {"model": lambda row: Path(row["model"]).name} if several else {}
        words |= {"method": "{method}", "monitors": "{monitors}"}
        titles = {name: "@".join([MEASURES[name.partition("@")[0]], *name.split("@")[1:]]) for name in names}
        figures = {title: partial(_cell, name=name) for name, title in titles.items()}
        times = {"s p50": "{seconds_p50:.2f}", "p95": "{seconds_p95:.2f}", "forbidden": "{forbidden_tokens}"}
        yield (
            Table(
                {**words, **figures, **times},
                left=len(words),
                title=f"{run.name}: {kind}, {found[0]['n']} tasks of {found[0]['packages']} packages",
                caption="95 % intervals over packages; then the difference to the same without monitors, or greedily",
                width=WIDTH,
            ),
            found,
        )


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


def _table_of(name: str, rows: Sequence[Row]) -> Table:
    """A table of whatever plain figures some rows have."""
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if isinstance(value, str | int | float))
    return Table({key: partial(_plain, key=key) for key in keys}, left=len(keys), title=name, width=WIDTH)


def _plain(row: Row, key: str) -> str:
    value = row.get(key)
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
