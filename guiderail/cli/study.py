"""How a study becomes a command of ``guiderail eval``: its options, packages, model, progress bar, table and JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.held_out import held_out, phases, progress
from guiderail.cli.options import OUTPUT, resolved, setting_flags
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.config import Config
    from guiderail.evaluation.packages import SourceFile
    from guiderail.evaluation.row_file import RowFile
    from guiderail.evaluation.worker import Worker
    from guiderail.model.model import Model
    from guiderail.settings import Settings

Row = Mapping[str, Any]
# A format string with the row's keys, or what makes the cell of a row.
Cell = str | Callable[[Row], str]
Option = Callable[[Any], Any]

JSON = click.option("--json", "target", type=OUTPUT, help="Write the figures as JSON; - is standard output.")
SAMPLES = click.option(
    "--samples", metavar="FILE.jsonl", help="Keep every answer here; a broken run goes on where it ended."
)
PACKAGES = click.option("--packages", "limit", type=click.IntRange(1), help="How many packages.")


def quick(what: str) -> Option:
    """``--quick``: the study's small plan."""
    return click.option("--quick", is_flag=True, help=f"{what}.")


def number(what: str) -> Option:
    """``--n``: how many of what the plan counts."""
    return click.option("--n", "count", type=click.IntRange(1), help=f"{what}.")


def seed(of: str) -> Option:
    """``--seed``."""
    return click.option("--seed", type=click.IntRange(0), default=0, help=f"Seed of {of}.  [default: 0]")


@dataclass
class Study:
    """A study on the command line.

    Parameters
    ----------
    name
        The study's module.
    plan
        How much is measured.
    settings
        What the flags, the environment and the files say.
    bar
        Shows how far it is.
    conditions
        Goes into the JSON's ``meta``.
    """

    name: str
    plan: Any
    settings: Settings
    bar: Progress
    conditions: dict[str, Any] = field(default_factory=dict)

    def files(self, skip: int = 0, listed: str = "", language: str = "python") -> dict[str, list[SourceFile]]:
        """The held-out packages of the plan, without the first `skip`; by default libraries."""
        from guiderail.evaluation import manifest, packages

        pinned = manifest.datasets_folder() / (listed or manifest.DEFAULT)
        self.conditions["manifest_sha256"] = packages.sha256_of(pinned)
        limit = self.plan.packages + skip if self.plan.packages else None
        return dict(list(held_out(limit, self.bar, listed, language).items())[skip:])

    def projects(self, files: Mapping[str, Sequence[SourceFile]], listed: str = "") -> dict[str, Path]:
        """The projects of packages, with their dependencies; what cannot be laid out is named and left out."""
        from guiderail.evaluation import manifest, projects

        note = lambda words: click.echo(words, err=True)  # noqa: E731
        advance = self.phase("laying out packages", len(files))
        found = projects.prepare_all(projects.held_out(listed or manifest.DEFAULT), files, note, advance)
        if not found:
            raise UsageError("no package can be laid out with what it depends on", "Check the network and pip")
        return found

    def load(self) -> Model:
        """The model that is measured, where no engine answers."""
        from guiderail.model.load import load

        own = self.settings
        model = load(own.model, device=own.device, dtype=own.dtype, threads=own.threads)
        self.conditions.setdefault("model", model.info.name)
        return model

    @property
    def phase(self) -> Callable[[str, int | None], Callable[..., None]]:
        """Begins a part of the work (`guiderail.cli.held_out.phases`)."""
        return phases(self.bar)

    @contextmanager
    def answering(self, config: Config, *, kept: str | None = None, **run: Any) -> Iterator[tuple[Worker, RowFile]]:
        """Who answers, one model at a time, and where the rows are kept: a broken study goes on where it ended.

        Parameters
        ----------
        kept
            The file; by default one in the cache folder, until the study has ended.
        run
            What decides the rows beside the plan and the configuration.
        """
        from guiderail.engine.choice import identity_of
        from guiderail.evaluation.runner import hardware
        from guiderail.evaluation.worker import Worker

        models = [identity_of(name, self.settings.api_key_env) for name in config.models]
        self.conditions.setdefault("model", models[0][0])
        run = {"config": config.digest(), "weights": [weights for _, weights in models], **run}
        worker = Worker(config, hardware(), most=1)
        try:
            with self.rows(kept, **run) as log:
                yield worker, log
        finally:
            worker.stop()

    @contextmanager
    def rows(self, kept: str | None = None, **run: Any) -> Iterator[RowFile]:
        """Where the rows are kept; see `answering`."""
        from guiderail.evaluation.scoring import SCORING
        from guiderail.evaluation.study import rows_kept

        known = {"scoring": SCORING, **asdict(self.plan), **run}
        with rows_kept(self.name, known, Path(kept) if kept else None) as log:
            yield log


def study(
    module: str, table: Table, *options: Option, seeds: Sequence[str], settings: Sequence[str] = (), **more: Any
) -> Callable[[Callable[..., list[dict[str, Any]]]], click.Command]:
    """Make a function that measures a `Study` and gives its rows into a command.

    Parameters
    ----------
    module
        Of `guiderail.evaluation.studies`, with `FULL` and `QUICK`, its plans.
    table
        How rows are shown.
    options
        Those of this module, and the study's own; what the function does not get of them makes the plan.
    seeds
        What the seed decides, for the JSON's ``meta``.
    settings
        Settings with flags.
    more
        Further arguments of `guiderail.evaluation.measurement.meta`.
    """

    def decorate(measure: Callable[..., list[dict[str, Any]]]) -> click.Command:
        def command(target: str | None, seed: int, **given: Any) -> None:
            chosen = resolved({key: given.pop(key) for key in settings}).settings
            with progress() as bar:
                under_way = Study(module, _plan(module, seed, given), chosen, bar)
                rows = measure(under_way, **given)
            table.show(rows, to_stdout=target != "-")
            if target:
                from guiderail.evaluation import measurement

                conditions = {"plan": asdict(under_way.plan)} | under_way.conditions
                measurement.write(target, measurement.meta(dict.fromkeys(seeds, seed), **conditions, **more), rows)

        command.__doc__, command.__name__ = measure.__doc__, measure.__name__
        flags = setting_flags(*settings)(command)
        for option in reversed(options):
            flags = option(flags)
        return click.command()(flags)

    return decorate


def _plan(module: str, seed: int, given: dict[str, Any]) -> Any:
    """The study's plan at the size that the options say, which are taken out of `given`."""
    own = import_module(f"guiderail.evaluation.studies.{module}")
    plan = own.QUICK if given.pop("quick", False) else own.FULL
    sized = replace(plan, seed=seed).sized(given.pop("count", None))
    return replace(sized, packages=given.pop("limit", None) or plan.packages)


@dataclass(frozen=True, eq=False)
class Table:
    """How rows are shown.

    Parameters
    ----------
    columns
        By heading, what a row's cell says: a format string with the row's keys, or a function of the row.
    left
        So many columns are words; the others are numbers.
    title, caption
        Over the table and under it.
    width
        Columns of text where no terminal says how wide it is.
    missing
        What a format string gives whose figure the row does not have.
    has_lines
        Whether there are lines between the rows.
    note
        A line for each row, after the table.
    """

    columns: Mapping[str, Cell]
    left: int = 1
    title: str | None = None
    caption: str | None = None
    width: int = 130
    missing: str = "-"
    has_lines: bool = False
    note: Callable[[Row], str] | None = None

    def show(self, rows: Sequence[Row], *, to_stdout: bool) -> None:
        """Print it on standard output, or on standard error where that is taken."""
        from rich.console import Console
        from rich.table import Table as Printed

        printed = Printed(title=self.title, caption=self.caption, show_lines=self.has_lines)
        for place, heading in enumerate(self.columns):
            printed.add_column(heading, justify="left" if place < self.left else "right")
        for row in rows:
            printed.add_row(*(self._cell(row, cell) for cell in self.columns.values()))
        width = None if (sys.stdout if to_stdout else sys.stderr).isatty() else self.width
        Console(stderr=not to_stdout, width=width).print(printed)
        if self.note:
            click.echo("\n".join(map(self.note, rows)), err=not to_stdout)

    def _cell(self, row: Row, cell: Cell) -> str:
        if callable(cell):
            return cell(row)
        try:
            return cell.format_map(row)
        except (KeyError, TypeError):  # the row lacks the figure, or it is None
            return self.missing
