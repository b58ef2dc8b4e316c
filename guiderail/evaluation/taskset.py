"""Sets of tasks as data: a manifest of packages, kinds, a count and a seed give the same cursors on every machine."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from guiderail.errors import GuiderailError, UsageError
from guiderail.evaluation import archives, packages
from guiderail.evaluation.cursor_positions import KINDS, CursorPositions, Kind
from guiderail.evaluation.function_bodies import Span
from guiderail.evaluation.manifest import Package, datasets_folder, read_manifest
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.task import Task, cut_out
from guiderail.evaluation.tasks import generator, spread
from guiderail.text.languages.table import NODES

# Raised whenever the same description would give other tasks; every result records it.
BUILDER = 1


class TaskSetError(GuiderailError):
    """A set of tasks cannot be read, or is not rebuilt as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """The description of a set.

    Parameters
    ----------
    name
        What configurations call it.
    language
        One of `guiderail.text.languages.table.NODES`.
    kinds
        What is asked for.
    count
        Tasks of each kind, spread evenly over the packages.
    seed
        Of the draw.
    manifest
        File of the packages, beside the description.
    folder
        A folder of projects of one's own instead, one subfolder each.
    digest
        SHA-256 of the tasks' ids; the whole set must give it.
    """

    name: str
    language: str
    kinds: tuple[Kind, ...]
    count: int
    seed: int = 0
    manifest: str | None = None
    folder: Path | None = None
    digest: str = ""


def read_set(name: str) -> TaskSet:
    """The description ``datasets/NAME.toml``, or the file of that path.

    Raises
    ------
    UsageError
        There is no such set, or it is not one.
    """
    path = Path(name) if name.endswith(".toml") else datasets_folder() / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        known = ", ".join(sorted(known_sets()))
        raise UsageError(f"{path} is not a set of tasks: {error}", f"Name one of {known}, or a file") from error
    return set_of(path.stem, table, path.parent)


def known_sets() -> list[str]:
    """Names of the sets that come with guiderail."""
    return [p.stem for p in datasets_folder().glob("*.toml") if "kinds" in tomllib.loads(p.read_text(encoding="utf-8"))]


def set_of(name: str, table: Mapping[str, Any], beside: Path) -> TaskSet:
    """The set that a table describes; `beside` is where relative folders start.

    Raises
    ------
    UsageError
        Something is missing, unknown, or wrong.
    """
    words = {key: value for key, value in table.items() if key != "builder"}
    if table.get("builder", BUILDER) != BUILDER:
        raise UsageError(f"{name} is of builder {table['builder']}", f"This guiderail builds {BUILDER}")
    try:
        found = TaskSet(name=name, **{**words, "kinds": tuple(words.get("kinds", KINDS))})
    except TypeError as error:
        raise UsageError(f"{name} is not a set of tasks: {error}", "See docs/evaluation.md") from error
    wrong = [kind for kind in found.kinds if kind not in KINDS]
    if wrong or found.language not in NODES:
        what = f"kind {wrong[0]!r}" if wrong else f"language {found.language!r}"
        raise UsageError(f"{name} asks for an unknown {what}", f"Known: {', '.join([*NODES, *KINDS])}")
    if (found.manifest is None) == (found.folder is None):
        raise UsageError(f"{name} needs a manifest or a folder, and not both", "See docs/evaluation.md")
    return replace(found, folder=beside / found.folder) if found.folder else found


def members(of: TaskSet, limit: int | None = None) -> list[Package]:
    """The first so many of the set's pinned packages; none for a set of folders."""
    return read_manifest(datasets_folder() / of.manifest)[:limit] if of.manifest else []


def files_of(
    of: TaskSet, limit: int | None = None, *, advance: Callable[[], None] = lambda: None
) -> dict[str, list[SourceFile]]:
    """The files of the set's packages, fetched where they are not there yet.

    Raises
    ------
    GuiderailError
        A package cannot be fetched, or there is no file of the language.
    """
    folder, found = packages.cache_folder(), dict[str, list[SourceFile]]()
    pinned = members(of, limit)
    archives.fetch(pinned, folder)
    for package in pinned:
        found[package.name] = archives.source_files(package, folder, of.language)
        advance()
    if of.folder is not None:
        projects = sorted(path for path in of.folder.iterdir() if path.is_dir()) if of.folder.is_dir() else []
        found = {path.name: archives.folder_files(path.name, path, of.language) for path in projects[:limit]}
    if not any(found.values()):
        raise UsageError(f"{of.name} has no files of {of.language}", "Look at its manifest or folder")
    return {name: files for name, files in found.items() if files}


def build(
    of: TaskSet, files: Mapping[str, Sequence[SourceFile]], *, advance: Callable[[], None] = lambda: None
) -> list[Task]:
    """The set's tasks from the files of its packages, in an order whose every beginning is spread over the packages.

    Of fewer packages than the set has it gives their share of the tasks, the same ones as ever.
    """
    drawn: dict[Kind, list[list[Task]]] = {kind: [] for kind in of.kinds}
    shares = spread(of.count, [package.name for package in members(of)] or list(files))
    for package, own in files.items():
        places = CursorPositions(own, of.language)
        found: dict[Kind, list[tuple[SourceFile, Span]]] = {kind: [] for kind in of.kinds}
        for file in own:
            for kind in of.kinds:
                found[kind] += [(file, place) for place in places.find(file.path, kind)]
        for kind in of.kinds:
            generator(of.seed, kind, package).shuffle(found[kind])
            drawn[kind].append(_first(found[kind], shares[package], kind))
        advance()
    return [task for kind in of.kinds for task in _without_copies(_interleaved(drawn[kind]))]


def _first(places: Sequence[tuple[SourceFile, Span]], count: int, kind: Kind) -> list[Task]:
    """The first `count` tasks, no two of which ask the same question in the same line."""
    tasks: dict[tuple[str, str], Task] = {}
    for file, place in places:
        if len(tasks) == count:
            break
        until = "block" if kind == "block" else "line"
        task = cut_out(file, kind, *place, until=until)
        tasks.setdefault(_question(task), task)
    return list(tasks.values())


def _question(task: Task) -> tuple[str, str]:
    return task.prefix[task.prefix.rfind("\n") + 1 :].strip(), task.truth


def _without_copies(tasks: Iterable[Task]) -> list[Task]:
    """Packages copy from one another: a question is asked once."""
    first: dict[tuple[str, str], Task] = {}
    for task in tasks:
        first.setdefault(_question(task), task)
    return list(first.values())


def _interleaved(lists: Sequence[Sequence[Task]]) -> list[Task]:
    return [task for row in zip_longest(*lists) for task in row if task is not None]


def digest_of(tasks: Iterable[Task]) -> str:
    """SHA-256 of the ids and truths, in hexadecimal: the proof that a set was rebuilt as it was."""
    found = hashlib.sha256()
    for task in tasks:
        found.update(f"{task.id}\0{task.truth}\0".encode())
    return found.hexdigest()


def check(of: TaskSet, tasks: Sequence[Task]) -> None:
    """Compare a whole set with its digest.

    Raises
    ------
    TaskSetError
        They differ.
    """
    if of.digest and digest_of(tasks) != of.digest:
        raise TaskSetError(
            f"{of.name} was not rebuilt as it was: {digest_of(tasks)[:12]}, not {of.digest[:12]}",
            "Another version of a grammar or of guiderail is at work; results would not compare",
        )
