"""``guiderail eval dotprompts``: the original's inference results, scored by its measures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from guiderail.cli.study import JSON, Row, Table


def _cell(row: Row, name: str) -> str:
    return " / ".join(f"{row[f'{name}@{k}']:.2f}" for k in (1, row["samples"]))


TABLE = Table(
    {
        "configuration": "{configuration}",
        "n": "{n}",
        "samples": "{samples}",
        **{f"{name} @1 / @k": partial(_cell, name=name.lower()) for name in ("CR", "NIM", "ISM", "PM")},
    },
    caption="score@1 and score@k of all samples, in %",
    width=120,
)


@click.command("dotprompts")
@click.argument("results", metavar="RESULTS.csv")
@click.option("--repositories", metavar="FOLDER", required=True, help="The repositories, checked out at their commits.")
@JSON
def dotprompts(results: str, repositories: str, target: str | None) -> None:
    """Score inference results in DotPrompts' own layout: score@k of CR, NIM, ISM and PM in percent.

    \b
    guiderail eval dotprompts dotprompts_results.csv --repositories PragmaticCode
    """
    from guiderail.evaluation import measurement, packages
    from guiderail.evaluation.formats.dotprompts import score

    rows = score(Path(results), Path(repositories))
    TABLE.show(rows, to_stdout=target != "-")
    if target:
        digest = packages.sha256_of(Path(results))
        measurement.write(target, measurement.meta({}, libraries=("pygments",), results_sha256=digest), rows)
