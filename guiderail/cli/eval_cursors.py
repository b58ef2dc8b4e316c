"""``guiderail eval cursors``: what is suggested at hand-made cursors, for a person to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from guiderail.cli.held_out import phases, progress
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.study import JSON, Row, Table
from guiderail.cli.terminal import visible


def _suggestion(row: Row) -> str:
    from rich.markup import escape

    return escape("\n".join(map(visible, row["suggestion"].split("\n"))))


TABLE = Table(
    {
        "cursor": "{cursor}",
        "suggestion": _suggestion,
        "parses": lambda row: "yes" if row["parses"] else "no",
        "wanted": "{wanted}",
        "notes": lambda row: ", ".join(row["notes"]),
    },
    left=5,
    has_lines=True,
)


@click.command()
@click.option("--cursors", metavar="FILE.toml", help="Other cursors than those that come with guiderail.")
@JSON
@setting_flags(
    "model", "device", "dtype", "threads", "max_tokens", "layout", "project_ngrams", "monitors", "verdict",
    "confidence", "analyser", "python", "trust", "method", "drafter", "draft_model", "parameters", "temperature",
    "seed",
)  # fmt: skip
def cursors(cursors: str | None, target: str | None, **flags: Any) -> None:
    """Show what is suggested where people stand: in a string, an argument list, an empty body.

    Everything is as `guiderail complete` has it. Whether a suggestion would be taken is for you to say.

    \b
    guiderail eval cursors
    guiderail eval cursors --model FILE.gguf --json cursors.json
    guiderail eval cursors --cursors datasets/lines.toml
    """
    from guiderail.cli.loading import load_engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.evaluation import measurement
    from guiderail.evaluation.studies import cursors as evaluation

    made = evaluation.read_cursors(Path(cursors) if cursors else None)
    settings = resolved(flags).settings
    engine = load_engine(settings)

    with progress() as bar:
        advance = phases(bar)("completing", len(made))

        def answer(one: evaluation.HandMade) -> Any:
            advance()
            own = replace(settings, until=one.until)
            request = CompletionRequest(document=one.document, offset=one.offset, settings=own, by_hand=True)
            return next(iter(engine.complete(request).suggestions), None)

        rows = list(evaluation.rows(made, answer))
    TABLE.show(rows, to_stdout=target != "-")
    if target:
        conditions = {"model": settings.model, "dtype": settings.dtype, "monitors": settings.monitors}
        measurement.write(target, measurement.meta({"draws": settings.seed}, **conditions), rows)
