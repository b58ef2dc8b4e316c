"""What the commands of ``guiderail bench`` share: options, the device, and how figures are shown and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from guiderail.cli.study import Row, Table

MODELS = click.option(
    "--model", "models", multiple=True, metavar="REF", help="A model or a random shape; repeat for several."
)
DEVICE = click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default=None, help="Where to run.  [default: a GPU if found]"
)
THREADS = click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads.  [default: cores]")


def _build(_context: click.Context, _option: click.Parameter, folder: str | None) -> str | None:
    """Refuse a folder without a build, before a model is loaded for it."""
    if folder and not any(Path(folder, package).is_dir() for package in ("llama_cpp", "xllamacpp")):
        raise click.BadParameter(f"there is neither llama_cpp nor xllamacpp in {folder}")
    return folder


BUILD = click.option(
    "--llama-cpp-build",
    "build",
    callback=_build,
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    envvar="LLAMA_CPP_BUILD",
    show_envvar=True,
    metavar="FOLDER",
    help="A build of llama.cpp for this CPU: a folder with xllamacpp or llama-cpp-python in it.  [default: xllamacpp]",
)


def device_of(wanted: str | None) -> str:
    """The device that is measured."""
    import torch

    return wanted or ("cuda" if torch.cuda.is_available() else "cpu")


def report(
    target: str | None,
    tables: Mapping[Table, Sequence[Row]],
    seeds: Mapping[str, int],
    *,
    lines: Sequence[str] = (),
    **conditions: Any,
) -> None:
    """Print the tables and lines unless standard output is for the JSON, and write all rows where it is asked for.

    Parameters
    ----------
    conditions
        As of `guiderail.evaluation.measurement.meta`.
    """
    from guiderail.evaluation import measurement

    if target != "-":
        for table, rows in tables.items():
            table.show(rows, to_stdout=True)
        for line in lines:
            click.echo(line)
    if target:
        rows = [row for own in tables.values() for row in own]
        measurement.write(target, measurement.meta(seeds, **conditions), rows)
