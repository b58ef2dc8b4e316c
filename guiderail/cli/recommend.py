"""``guiderail models recommend``: which published model suits this machine, by measurement."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.options import OUTPUT, resolved, setting_flags

if TYPE_CHECKING:
    from guiderail.engine.recommendation import Row
    from guiderail.model.machine import Machine


@click.command()
@click.option("--again", is_flag=True, help="Measure again what is remembered of this machine.")
@click.option("--idle", is_flag=True, hidden=True, help="Give way to everything else that runs.")
@click.option("--json", "target", type=OUTPUT, metavar="FILE", help="Write JSON; '-' is standard output.")
@setting_flags("device", "threads")
def recommend(again: bool, idle: bool, target: str | None, **flags: Any) -> None:
    """Measure this machine for some seconds, and say which published model suits it.

    Times are computed from what was measured and from each model's sizes. The one that is marked is the largest that
    fits, whose licence allows all uses, and that answers quickly enough. Nothing is fetched.
    """
    if idle and hasattr(os, "nice"):
        os.nice(19)
    from guiderail.engine import recommendation

    settings = resolved(flags).settings
    found = _machine(settings.device, settings.threads, again=again)
    rows = recommendation.recommend(found)
    if target != "-":
        click.echo(_as_text(found, rows))
    if target:
        _write(target, found, rows)


def _machine(device: str, threads: int, *, again: bool) -> Machine:
    """What was measured before, or is measured now; of two that begin at once, one measures for both."""
    from guiderail.cli.loading import status
    from guiderail.model import machine as measurement
    from guiderail.model.threads import allow

    known = measurement.remembered(device, threads)
    if known and not again:
        return known
    with status("measuring this machine"), measurement.alone(device, threads):
        other = measurement.remembered(device, threads)
        if other is not None and other != known:  # another process has just measured it
            return other
        allow(threads)
        return measurement.remember(measurement.measure(device), device, threads)


def _write(target: str, machine: Machine, rows: list[Row]) -> None:
    from guiderail.engine import recommendation
    from guiderail.evaluation import measurement

    rule = {"most_edit_s": recommendation.MOST_EDIT_S, "least_tokens_per_s": recommendation.LEAST_TOKENS_PER_S}
    tokens: dict[str, Any] = {"prompt_tokens": recommendation.PROMPT, "edited_tokens": recommendation.PATCHED}
    conditions = measurement.meta({}, machine=asdict(machine), rule=rule, **tokens)
    measurement.write(target, conditions, list(map(as_json, rows)))


def as_json(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    model = row.model
    return {
        "name": model.name,
        "hub": model.hub,
        "file": model.file or None,
        "licence": model.licence,
        "free": model.free,
        "parameters": model.parameters,
        "bytes": model.bytes,
        "device": row.device,
        "dtype": row.dtype,
        "bytes_needed": row.memory_bytes,
        "fits": row.fits,
        "first_token_s": row.cost.first_s,
        "first_token_after_edit_s": row.cost.edit_s,
        "tokens_per_s": row.cost.tokens_per_s,
        "native": model.is_native,
        "best": row.best,
        "command": row.command,
    }


def _as_text(machine: Machine, rows: list[Row]) -> str:
    return f"{_measured(machine)}\n\n{_table(rows)}\n{advice(rows)}"


def advice(rows: list[Row]) -> str:
    """The one to take, and what takes it, in one line."""
    best = next((row for row in rows if row.best), None)
    if best is None:
        return "No published model is quick enough here: the embedded one is the one to use"
    expected = f"about {seconds(best.cost.edit_s)} to a suggestion after an edit, {best.cost.tokens_per_s:.0f} tokens/s"
    return f"{best.model.name}, {expected}: {best.command}"


def _measured(machine: Machine) -> str:
    from guiderail.model.estimate import ROWS
    from guiderail.model.memory import readable

    where = f", {readable(machine.memory_bytes)}" if machine.memory_bytes else f", {machine.threads} threads"
    lines = [f"{machine.processor}{where}, reads {readable(machine.bytes_per_s)} a second"]
    for name, rates in machine.rates.items():
        each = ", ".join(f"{rate / 1e9:.0f}" for rate in rates.products)
        lines.append(f"  {name:<9} {each} billion multiply-adds a second of {', '.join(map(str, ROWS))} rows")
    return "\n".join(lines)


def _table(rows: list[Row]) -> str:
    from rich.console import Console
    from rich.table import Table

    from guiderail.cli.output import wants_colour
    from guiderail.engine.recommendation import PROMPT
    from guiderail.model.memory import readable

    table = Table(box=None, pad_edge=False)
    for title in ("", "model", "licence", "file", "dtype", f"first of {PROMPT}", "after an edit", "tokens/s", "memory",
                  "fits"):  # fmt: skip
        right = title in {"file", "after an edit", "tokens/s", "memory"} or title.startswith("first")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        rate, needed = row.cost.tokens_per_s, readable(row.memory_bytes)
        table.add_row(
            "*" if row.best else "", row.model.name, row.model.licence, readable(row.model.bytes), row.dtype,
            seconds(row.cost.first_s), seconds(row.cost.edit_s), f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}",
            needed, "yes" if row.fits else "no",
        )  # fmt: skip
    colour = wants_colour(sys.stdout)
    console = Console(force_terminal=colour, no_color=not colour, width=None if sys.stdout.isatty() else 200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def seconds(value: float) -> str:
    """A time for a person."""
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"
