"""Import roots: the folders of a project from which a file's absolute imports may start.

They are those that interpreters, pytest and type checkers use: the file's own folder, the folders above it that are no
packages, each sub-project's sources, and the other members of its workspace. A folder too many merely allows more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from guiderail import projectfile
from guiderail.monitors.python.interpreter import ancestors
from guiderail.monitors.python.layout import CUSTOMARY, MANIFESTS, bounded, members, source_folders
from guiderail.projectfile import ProjectFileError

MOST_ROOTS = 500
_INIT = frozenset({"__init__.py", "__init__.pyi"})


def import_roots(root: Path, folder: Path | None = None) -> tuple[Path, ...]:
    """The import roots of the files in a folder, the nearest first; they may not exist.

    Parameters
    ----------
    root
        The project's folder.
    folder
        The folder in it; by default the project's own.

    Raises
    ------
    ProjectFileError
        There are more than can be looked at.
    """
    above = ancestors(folder or root, root)
    places = [place for place in above if place in (root, above[0]) or _is_root(place, root)]
    near = (one for place in places for one in _sources(place, root))
    linked = (one for place in places for member in members(place, root) for one in _sources(member, root))
    return tuple(bounded(dict.fromkeys((*near, *linked)), MOST_ROOTS))


def _is_root(place: Path, root: Path) -> bool:
    """Whether imports may start in a folder: it is no package's inside, or a project's top all the same."""
    try:
        names = {name for name, _ in projectfile.read_folder(place, root)}
    except ProjectFileError:
        return True
    return not names & _INIT or bool(names & MANIFESTS)


def _sources(place: Path, root: Path) -> Iterator[Path]:
    yield place
    yield from (place / name for name in CUSTOMARY)
    for found in source_folders(place, root):
        yield Path(os.path.normpath(found))


def from_environment() -> list[Path]:
    """The absolute entries of PYTHONPATH: relative ones depend on where a program is started."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [Path(entry) for entry in entries if Path(entry).is_absolute()]
