"""``guiderail eval dotprompts``: the original's inference results, scored by its measures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command("dotprompts")
@click.argument("results", metavar="RESULTS.csv")
@click.option("--repositories", metavar="FOLDER", required=True, help="The repositories, checked out at their commits.")
@click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
def dotprompts(results: str, repositories: str, target: str | None) -> None:
    """Score inference results in DotPrompts' own layout: score@k of CR, NIM, ISM and PM in percent.

    \b
    guiderail eval dotprompts dotprompts_results.csv --repositories PragmaticCode
    """
    from guiderail.evaluation import packages, record
    from guiderail.evaluation.formats.dotprompts import score

    rows = score(Path(results), Path(repositories))
    if target != "-":
        _print(rows)
    if target:
        digest = packages.sha256_of(Path(results))
        record.write(target, record.meta({}, libraries=("pygments",), results_sha256=digest), rows)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("configuration", caption="score@1 and score@k of all samples, in %")
    for title in ("n", "samples", *(f"{name} @1 / @k" for name in ("CR", "NIM", "ISM", "PM"))):
        table.add_column(title, justify="right")
    for row in rows:
        most = row["samples"]
        cells = [f"{row[f'{name}@1']:.2f} / {row[f'{name}@{most}']:.2f}" for name in ("cr", "nim", "ism", "pm")]
        table.add_row(row["configuration"], str(row["n"]), str(most), *cells)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
