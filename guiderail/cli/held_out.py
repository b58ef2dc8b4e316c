"""What every ``guiderail eval`` command needs: the held-out packages, and a bar while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.packages import SourceFile


def held_out(
    limit: int | None, bar: Progress, listed: str = "", language: str = "python"
) -> dict[str, list[SourceFile]]:
    """The files of a manifest's packages, by default of the libraries, downloaded where they are not there yet."""
    from guiderail.evaluation import archives, manifest, packages

    pinned = manifest.read_manifest(manifest.datasets_folder() / (listed or manifest.DEFAULT))[:limit]
    folder = packages.cache_folder()
    phase = phases(bar)
    phase("fetching packages", None)
    archives.fetch(pinned, folder)
    advance, found = phase("reading packages", len(pinned)), {}
    for package in pinned:
        found[package.name] = archives.source_files(package, folder, language)
        advance()
    return found


def phases(bar: Progress) -> Callable[[str, int | None], Callable[..., None]]:
    """What begins a phase and gives what is called at each of its steps, or with a number of them.

    A phase takes the place of those before it on the terminal.
    """

    def begin(what: str, total: int | None) -> Callable[..., None]:
        for task in bar.task_ids:
            bar.remove_task(task)
        task = bar.add_task(what, total=total)
        return lambda steps=1: bar.advance(task, steps)

    return begin


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on standard error with the time that remains; nothing where standard error is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        yield bar
