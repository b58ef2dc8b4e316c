"""What studies share: how much is measured, what of the product is left out, and the one way to answer tasks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from guiderail import private, settings
from guiderail.errors import UsageError
from guiderail.evaluation import config, manifest, measurement, packages
from guiderail.evaluation.config import GREEDY, OFF, Config, Method, System
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile, Unit, usable
from guiderail.evaluation.run_folder import locked
from guiderail.evaluation.runner import BUILDERS, LIBRARIES, hardware
from guiderail.evaluation.task import Task
from guiderail.evaluation.worker import Row, Worker

# As in the configurations that come with guiderail: what the product adds to the model and the method is left out.
ALONE: dict[str, Any] = {
    "context_tokens": 0, "project_ngrams": "off", "end_loops": False, "verdict": "off", "confidence": "off",
    "monitors": False,
}  # fmt: skip
LINE_TOKENS = 64  # of an answer that is one line, at most
UNFINISHED = 8  # runs whose rows are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    seed
        Of every draw, and of the bootstrap.
    """

    counted: ClassVar[tuple[str, ...]]  # the fields that --n sets

    packages: int | None = None
    seed: int = 0

    def sized(self, count: int | None) -> Self:
        """The plan with another number of what it counts, if one is given."""
        return replace(self, **dict.fromkeys(self.counted, count)) if count else self


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan(Plan):
    """How much is measured of answers.

    Parameters
    ----------
    prompt_tokens, max_tokens
        Tokens of a prompt and of an answer at most.
    """

    prompt_tokens: int = 1024
    max_tokens: int = 64


def config_of(
    chosen: settings.Settings,
    plan: AnswerPlan,
    methods: Sequence[Method] = (GREEDY,),
    monitors: Sequence[str] = (OFF,),
    **more: Any,
) -> Config:
    """The configuration of a study: the product without what is not measured (`ALONE`), at the plan's size.

    Parameters
    ----------
    chosen
        What a person has set.
    more
        Further settings of a run.
    """
    own: dict[str, Any] = {key: getattr(chosen, key) for key in settings.KEYS} | ALONE | {"check": False} | more
    own |= {"prompt_tokens": plan.prompt_tokens, "max_tokens": plan.max_tokens, "seed": plan.seed}
    combined = {"models": (chosen.model,), "methods": tuple(methods), "monitors": tuple(monitors), "tasks": ()}
    return Config(name="", about="", settings=config.Settings(**own), **combined)


def answered(
    worker: Worker,
    tasks: Sequence[Task],
    systems: Sequence[System],
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """The rows of every task answered by every system; those that are in the log are not made again.

    A line has `LINE_TOKENS` at most, also where the plan gives longer texts more.
    """
    of_line = {"max_tokens": min(LINE_TOKENS, worker.settings.max_tokens)}
    for task in tasks:
        for system in systems:
            own = replace(system, overrides={**of_line, **system.overrides}) if task.until == "line" else system
            yield from once(log, (task.id, system.label), partial(worker.answer, task, own))
            advance()


def once(log: RowFile | None, unit: Unit, make: Callable[[], Sequence[Row]]) -> Iterator[Row]:
    """The rows of a unit: as the log has them, else new ones, which go into the log."""
    rows = log.done.get(unit) if log else None
    if rows is None:
        rows = [{"task": unit[0], "system": unit[1], **row} for row in make()]
        rows = [{**row, "samples": len(rows)} for row in rows]
        if log and rows:
            log.add(rows)
    yield from map(dict, rows)


def digest_of(content: Any) -> str:
    """A name for a unit by what it is made of (dataclasses and JSON's kinds): rows found again are then its own."""
    return hashlib.sha256(json.dumps(content, default=asdict).encode()).hexdigest()[:16]


@contextmanager
def rows_kept(name: str, run: Mapping[str, Any], file: Path | None = None) -> Iterator[RowFile]:
    """Where the rows of a run are kept while they are made: in a file, else in the cache folder until the run ends.

    Either goes on only with the same code and packages, on the same machine (`provenance`).

    Parameters
    ----------
    name
        The study.
    run
        What decides the rows beside that.

    Raises
    ------
    UsageError
        The file is another run's, is in use, or cannot be written.
    """
    run = {**run, **provenance()}
    with _named(file) if file else _unfinished(name, run) as place:
        with usable(place):
            log = RowFile(place, run)
        with closing(log):
            yield log


def provenance() -> dict[str, Any]:
    """Where rows come from: the code, what it builds on, the list of packages, and the machine, which decides times."""
    return {
        "commit": measurement.commit(),
        "versions": measurement.versions(*LIBRARIES),
        "builders": BUILDERS,
        "manifest_sha256": packages.sha256_of(manifest.datasets_folder() / manifest.DEFAULT),
        "hardware": hardware(),
    }


@contextmanager
def _named(file: Path) -> Iterator[Path]:
    """A file that a person has named, for this process alone."""
    lock = file.parent / f".{file.name}.lock"
    with usable(file):
        held = locked(lock, file)
    with held:
        try:
            yield file
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def _unfinished(name: str, run: Mapping[str, Any]) -> Iterator[Path]:
    """A file for what a run has found so far: it goes with the end of the run, or when there are newer ones.

    Its folder is the run's by all that decides its rows.
    """
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
    folder = packages.cache_folder().parent / "unfinished" / f"{name}-{digest[:16]}"
    with usable(folder, "See who may write there"):
        private.folder(folder)
        os.utime(folder)
        held = locked(folder / "lock", folder)
    with held:
        _forget_old(folder.parent)
        yield folder / "rows.jsonl"
        shutil.rmtree(folder, ignore_errors=True)


def _forget_old(folder: Path) -> None:
    """Delete the oldest of the unfinished runs, but none that goes on."""
    with suppress(OSError):  # another process deletes them too
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-UNFINISHED]:
            with suppress(OSError, UsageError), locked(old / "lock", old):
                shutil.rmtree(old, ignore_errors=True)


def laid_out(files: Mapping[str, Sequence[SourceFile]], folder: Path) -> dict[str, Path]:
    """The packages' files on disk, without what they depend on: where each package is."""
    for name, own in files.items():
        for file in own:
            place = folder / name / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text, encoding="utf-8")
    return {name: folder / name for name in files}
