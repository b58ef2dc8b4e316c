"""``guiderail eval cursors``: what is suggested at hand-made cursors, for a person to look at."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from guiderail.cli.held_out import progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags


@click.command()
@click.option("--cursors", metavar="FILE.toml", help="Other cursors than those that come with guiderail.")
@click.option("--json", "target", type=OUTPUT, help="Write the suggestions as JSON; - is standard output.")
@setting_flags(
    "model", "device", "dtype", "threads", "max_tokens", "layout", "project_ngrams", "monitors", "analyser", "trust",
    "method", "drafter", "parameters", "temperature", "seed",
)  # fmt: skip
def cursors(cursors: str | None, target: str | None, **flags: Any) -> None:
    """Show what is suggested where people stand: in a string, an argument list, an empty body.

    Everything is as `guiderail complete` has it. Whether a suggestion would be taken is for you to say.

    \b
    guiderail eval cursors
    guiderail eval cursors --model FILE.gguf --json cursors.json
    """
    from guiderail.cli.loading import load_engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.evaluation import cursors as evaluation
    from guiderail.evaluation import record

    made = evaluation.read_cursors(Path(cursors) if cursors else None)
    settings = resolved(flags).settings
    engine = load_engine(settings)

    with progress() as bar:
        task = bar.add_task("completing", total=len(made))

        def answer(one: evaluation.HandMade) -> Any:
            bar.advance(task)
            own = replace(settings, until=one.until)
            request = CompletionRequest(document=one.document, offset=one.offset, settings=own, by_hand=True)
            return next(iter(engine.complete(request).suggestions), None)

        rows = list(evaluation.rows(made, answer))
    if target != "-":
        _print(rows)
    if target:
        conditions = {"model": settings.model, "dtype": settings.dtype, "monitors": settings.monitors}
        record.write(target, record.meta({"draws": settings.seed}, **conditions), rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from guiderail.cli.terminal import visible

    table = Table("cursor", "suggestion", "parses", "notes", show_lines=True)
    for row in rows:
        shown = "\n".join(map(visible, row["suggestion"].split("\n")))
        parses = "yes" if row["parses"] else "no"
        table.add_row(row["cursor"], Text(shown), parses, ", ".join(row["notes"]))
    Console(width=None if sys.stdout.isatty() else 130).print(table)
