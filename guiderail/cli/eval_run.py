"""``guiderail eval run`` and ``guiderail eval tasks``: a configuration answered, sample by sample."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guiderail.cli.held_out import phases, progress
from guiderail.cli.options import OUTPUT
from guiderail.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from guiderail.evaluation.config import Config

RUNS = Path("runs")
SAID_EVERY_S = 30  # where no terminal shows a bar


@click.command("run")
@click.argument("config", metavar="CONFIG.toml")
@click.option("--out", metavar="FOLDER", help="Where the results go.  [default: runs/ and the configuration's name]")
@click.option("--ray", "on_ray", is_flag=True, help="On a Ray cluster: the one RAY_ADDRESS names, or this machine.")
@click.option("--slots", type=click.IntRange(1), help="Workers on Ray.  [default: one for each GPU, or CPU]")
@click.option("--html", metavar="FILE", type=OUTPUT, help="Where the report goes.  [default: report.html beside it]")
def run(config: str, out: str | None, on_ray: bool, slots: int | None, html: str | None) -> None:
    """Answer tasks by models × methods × monitors, one record a sample, and write the report.

    Started again, it goes on where it ended, whatever ended it. CONFIG.toml is a file, or the name of a shipped one.

    \b
    guiderail eval run quick
    guiderail eval run my.toml --out runs/mine
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from guiderail.cli.eval_report import show
    from guiderail.evaluation import config as configs

    read = configs.read(shipped(config))
    folder = Path(out) if out else RUNS / _plain(read.name)
    _refuse_links(folder if out else RUNS, folder)
    _run(read, folder, on_ray, slots)
    show([folder], html or str(folder / "report.html"))


def _plain(name: str) -> str:
    """The name of a configuration, which somebody else may have written, if it names a folder below another one."""
    if name in {"", ".", ".."} or set(name) & set("/\\\0"):
        raise UsageError(f"{name!r} cannot be a folder's name", "Name the folder by --out")
    return name


def _refuse_links(*folders: Path) -> None:
    """Raise UsageError where results would be written elsewhere: a repository may have brought the folder along."""
    links = [path for folder in folders for path in (folder, *_entries(folder)) if path.is_symlink()]
    if links:
        raise UsageError(f"{links[0]} is a link", "Remove it, or name another folder by --out")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def shipped(name: str) -> Path:
    """The file of a configuration: a path, or the name of one that comes with guiderail."""
    from guiderail.evaluation.manifest import datasets_folder

    own = datasets_folder() / f"{name}.toml"
    return own if not name.endswith(".toml") and own.is_file() else Path(name)


def _run(config: Config, folder: Path, on_ray: bool, slots: int | None) -> None:
    from guiderail.evaluation import ray_cluster, runner
    from guiderail.evaluation.run_folder import RunFolder

    with progress() as bar:
        tasks = runner.collect(config, phases(bar), lambda words: click.echo(words, err=True))
    with RunFolder(folder, runner.conditions(config, tasks)) as results, progress() as bar:
        results.write_tasks(tasks)
        waiting = runner.units(config, tasks, results)
        total = len(tasks) * len(config.systems())
        if results.done:
            click.echo(f"{len(results.done)} of {total} are there already", err=True)
        pace = _Pace(bar, total, len(results.done))
        for rows in ray_cluster.run(config, waiting, slots) if on_ray else runner.run(config, waiting):
            results.add(rows)
            pace.advance(len(rows))
    pace.finish(folder)


class _Pace:
    """How far a run is, and how fast: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, bar: Progress, total: int, done: int) -> None:
        self._bar, self._total, self._done = bar, total, done
        self._task = bar.add_task("answering", total=total, completed=done)
        self._samples = 0
        self._units = 0
        self._began = self._said = time.perf_counter()

    def advance(self, samples: int) -> None:
        """A unit's samples are there."""
        self._samples += samples
        self._units += 1
        self._bar.update(self._task, advance=1, description=f"answering, {self._rate():.0f} samples a minute")
        now = time.perf_counter()
        if self._bar.disable and now - self._said > SAID_EVERY_S:
            self._said = now
            left = (self._total - self._done - self._units) * (now - self._began) / self._units
            click.echo(f"{self._done + self._units} of {self._total}, about {left / 60:.0f} min left", err=True)

    def finish(self, folder: Path) -> None:
        """Say what came of it."""
        if self._samples:
            click.echo(f"{self._samples} samples, {self._rate():.1f} a minute; kept in {folder}", err=True)

    def _rate(self) -> float:
        return 60 * self._samples / (time.perf_counter() - self._began)


@click.command("tasks")
@click.argument("name", metavar="SET")
@click.option("--packages", "limit", type=click.IntRange(1), help="Only the first so many packages.")
@click.option("--out", "target", type=OUTPUT, metavar="FILE.jsonl", help="Write the tasks; - is standard output.")
def tasks(name: str, limit: int | None, target: str | None) -> None:
    """Build a set of tasks and compare it with its digest.

    \b
    guiderail eval tasks dotprompts_py
    guiderail eval tasks positions_ts --out tasks.jsonl
    """
    from guiderail.evaluation import measurement, taskset

    of = taskset.read_set(name)
    with progress() as bar:
        phase = phases(bar)
        files = taskset.files_of(of, limit, advance=phase(f"reading {of.name}", len(taskset.members(of, limit))))
        built = taskset.build(of, files, advance=phase(f"drawing {of.name}", len(files)))
    if target:
        keys = ("id", "kind", "package", "path", "language", "prefix", "suffix", "truth", "until")
        lines = (json.dumps({key: getattr(task, key) for key in keys}) for task in built)
        measurement.write_text(target, "".join(f"{line}\n" for line in lines))
    for kind, count in Counter(task.kind for task in built).items():
        packages = len({task.package for task in built if task.kind == kind})
        click.echo(f"{count} {kind}, {packages} packages", err=target == "-")
    if limit is None:
        taskset.check(of, built)
        click.echo(f"digest {taskset.digest_of(built)}", err=target == "-")
