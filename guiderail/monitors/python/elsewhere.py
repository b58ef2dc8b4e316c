"""Modules that lie anywhere in a project: a program, a test runner or a container may import from any of its folders.

Import roots are what files tell (`layout`); what a settings module appends to ``sys.path``, an image's working folder
and the like they do not tell. Such modules are less likely to be meant, but they may be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError
from guiderail.prompt.ignore import is_apart

DEEPEST, MOST_FOLDERS = 6, 1_000
FRESH_S = 5.0
_SOURCES = (".py", ".pyi")

Entries = Sequence[tuple[str, bool]]


def walk(root: Path, deepest: int, most: int) -> Iterator[tuple[Path, Entries]]:
    """A project's folders, level by level, each with its entries: their names, and whether they are folders."""
    level, left = [root], most
    for _ in range(deepest + 1):
        below: list[Path] = []
        for folder in level[: max(0, left)]:
            try:
                entries = list(projectfile.read_folder(folder, root))
            except ProjectFileError:
                continue
            yield folder, entries
            below += [folder / name for name, is_folder in entries if is_folder and not is_apart((name,))]
        left -= len(level)
        level = below


def modules_elsewhere(root: Path, package: str = "") -> frozenset[str]:
    """The modules of any folder of a project, or of any of its folders that a package may be.

    Parameters
    ----------
    root
        The project's folder.
    package
        With dots; empty for modules at the top.
    """
    parts = tuple(package.split(".")) if package else ()
    folders = _folders(root, int(time.monotonic() / FRESH_S))
    return frozenset(name for folder, names in folders if folder[len(folder) - len(parts) :] == parts for name in names)


@lru_cache(maxsize=4)
def _folders(root: Path, period: int) -> list[tuple[tuple[str, ...], frozenset[str]]]:
    """Each folder that holds sources, at any depth, by its parts below the root, with the modules in it."""
    found: dict[Path, set[str]] = {}
    for folder, entries in walk(root, DEEPEST, MOST_FOLDERS):
        own = {name.partition(".")[0] for name, is_folder in entries if not is_folder and name.endswith(_SOURCES)}
        if own and not any(part.startswith(".") for part in folder.relative_to(root).parts):
            found.setdefault(folder, set()).update(filter(str.isidentifier, own))
            _enter(folder, root, found)
    return [(folder.relative_to(root).parts, frozenset(names)) for folder, names in found.items()]


def _enter(folder: Path, root: Path, found: dict[Path, set[str]]) -> None:
    """Note a folder of sources as a package in the folders above it."""
    for above in islice(folder.parents, DEEPEST):
        if folder == root:
            return
        if folder.name.isidentifier():
            found.setdefault(above, set()).add(folder.name)
        folder = above
