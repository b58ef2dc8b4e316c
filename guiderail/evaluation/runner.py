"""Runs a configuration: every task by every system, once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from guiderail.engine.choice import chosen
from guiderail.errors import UsageError
from guiderail.evaluation import measurement, packages, projects, taskset
from guiderail.evaluation.config import OFF, Config, Source, System
from guiderail.evaluation.formats import reader
from guiderail.evaluation.run_folder import RunFolder
from guiderail.evaluation.task import TRUNCATION, Task
from guiderail.evaluation.worker import Worker
from guiderail.text.languages.table import GRAMMARS, NODES

Note = Callable[[str], None]
# Begins a phase of so many steps; what comes back is called at every step.
Phase = Callable[[str, int | None], Callable[[], None]]
Rows = list[dict[str, Any]]

UNTRUNCATED = ", not truncated"
# What rows depend on beside the code: who analyses, parses and scores, and the versions of what builds the tasks.
LIBRARIES = (
    *("pyrefly", "ty", "basedpyright", "jedi-language-server"),
    *("pygments", "rapidfuzz", "tree-sitter", *dict.fromkeys(GRAMMARS[name][0].replace("_", "-") for name in NODES)),
)
BUILDERS = {"packages": packages.BUILDER, "tasks": taskset.BUILDER, "truncation": TRUNCATION}


def collect(config: Config, phase: Phase, note: Note) -> list[Task]:
    """The tasks of a configuration, with their projects laid out where something analyses or compiles.

    A package whose dependencies cannot be installed is left out where something analyses or compiles; `note` is told.

    Raises
    ------
    GuiderailError
        A set or file cannot be read.
    """
    for system in config.systems():
        chosen(system.settings(config.settings))  # what does not compose is said before anything is fetched
    needed = config.settings.check or config.settings.context_tokens or any(m != OFF for m in config.monitors)
    tasks = [task for source in config.tasks for task in _source(source, bool(needed), phase, note)]
    if not tasks:
        raise UsageError(f"{config.name} asks nothing", "Look at the kinds and counts of its [[tasks]]")
    seen = {task.id for task in tasks}
    if len(seen) < len(tasks):
        raise UsageError(f"{config.name} asks the same task twice", "Let each [[tasks]] name other kinds or sets")
    return tasks


def _source(source: Source, needed: bool, phase: Phase, note: Note) -> list[Task]:
    if source.reader:
        tasks = reader.read(source.reader, Path(source.path), Path(source.repositories))
    else:
        tasks = _set(source, needed, phase, note)
    kinds = dict.fromkeys(source.kinds or [task.kind for task in tasks])
    tasks = [task for kind in kinds for task in [t for t in tasks if t.kind == kind][: source.count]]
    if source.truncate:
        return tasks
    return [
        replace(task, id=f"{task.id}{UNTRUNCATED}", kind=f"{task.kind}{UNTRUNCATED}", until="tokens") for task in tasks
    ]


def _set(source: Source, needed: bool, phase: Phase, note: Note) -> list[Task]:
    of = taskset.read_set(source.set)
    wrong = set(source.kinds) - set(of.kinds)
    if wrong:
        raise UsageError(f"{of.name} has no tasks of kind {min(wrong)!r}", f"It has {', '.join(of.kinds)}")
    if source.kinds:
        of = replace(of, kinds=tuple(kind for kind in of.kinds if kind in source.kinds))
    pinned = {package.name: package for package in taskset.members(of, source.packages)}
    files = taskset.files_of(of, source.packages, advance=phase(f"reading {of.name}", len(pinned)))
    tasks = taskset.build(of, files, advance=phase(f"drawing {of.name}", len(files)))
    if of.folder is not None:
        return [replace(task, root=of.folder / task.package) for task in tasks]
    wanted = files if needed else {}
    roots = projects.prepare_all(pinned, wanted, note, phase(f"laying out {of.name}", len(wanted)))
    return [replace(task, root=roots.get(task.package)) for task in tasks if task.package in roots or not needed]


def conditions(config: Config, tasks: Sequence[Task]) -> dict[str, Any]:
    """What the rows of a run depend on."""
    seeds = {"answers": config.settings.seed, "bootstrap": config.settings.seed}
    return measurement.meta(
        seeds,
        libraries=LIBRARIES,
        config=asdict(config),
        config_sha256=config.digest(),
        tasks_sha256=taskset.digest_of(tasks),
        builders=BUILDERS,
        systems=[system.label for system in config.systems()],
        bases=bases(config),
        tasks=len(tasks),
    )


def bases(config: Config) -> dict[str, list[str]]:
    """By system, those that it is compared with: without its monitors, and greedily with the same monitors."""
    found = {}
    greedy = next(method for method in config.methods if method.is_greedy)
    known = {system.label for system in config.systems()}
    for system in config.systems():
        plain = replace(system, monitors=OFF), replace(system, method=greedy)
        labels = [base.label for base in plain if base.label in known]
        found[system.label] = [label for label in dict.fromkeys(labels) if label != system.label]
    return found


def units(config: Config, tasks: Sequence[Task], folder: RunFolder) -> list[tuple[Task, System]]:
    """What is still to be done: task by task with all systems, so that a run that is ended early is paired."""
    systems = config.systems()
    order = sorted(range(len(tasks)), key=lambda i: (i // SLICE, tasks[i].package, i))
    return [
        (tasks[index], system)
        for index in order
        for system in systems
        if (tasks[index].id, system.label) not in folder.done
    ]


SLICE = 200  # tasks in the order of the set, within which those of a package are asked together: analysers stay warm


def run(config: Config, waiting: Sequence[tuple[Task, System]]) -> Iterator[Rows]:
    """The rows of every unit, answered in this process."""
    worker = Worker(config, hardware())
    try:
        for task, system in waiting:
            yield worker.answer(task, system)
    finally:
        worker.stop()


def hardware() -> str:
    """The machine in a few words."""
    found: Mapping[str, Any] = measurement.hardware()
    return found["gpu"] or f"{found['cpu']}, {found['cores']} cores"
