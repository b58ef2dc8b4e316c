"""The modules that a Python project can import: its own, what it needs, its environment's, the standard library's."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

from guiderail import projectfile
from guiderail.monitors.analysis.server import environment, site_folders
from guiderail.monitors.analysis.workspaces import is_trusted
from guiderail.monitors.requirements import declared_modules
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)
FRESH_S = 5.0  # what is on disk is read again after this
SUFFIXES = (".py", ".pyi", ".so", ".pyd")
LINKS = 100  # .pth files of a folder that are read, and lines of one
LINKS_SIZE = 1 << 16  # bytes of one
MOST_LINKED = 1000  # folders that all of them name together
MOST_NAMES = 50_000  # in all folders that are looked at together


class ModulePath:
    """The import path of a project.

    What belongs to the project is looked at inside it alone, links followed: its folders, packages and environment, and
    what that links to. An environment that lies elsewhere, or a trusted project's, is the person's, and is followed
    wherever it leads.

    Parameters
    ----------
    root
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def modules(self, package: str = "") -> frozenset[str] | None:
        """The modules in a package, or all at the top; None if the package's folder is not known, or not all of them.

        What was left out (a folder with too many names, one outside the project) may hold the right one.
        """
        if not package:
            own = _modules_in(self.folders)
            if own is None or self._left_out:
                return None
            return own | self.declared | sys.stdlib_module_names | frozenset(sys.builtin_module_names)
        found = [(folder, folder.joinpath(*package.split("."))) for folder in self.folders]
        places = [(folder, place) for folder, place in found if _is_folder(place)]
        if any(_is_inside(folder, self._root) and not _is_inside(place, self._root) for folder, place in places):
            return None
        return _modules_in(place for _, place in places) if places else None

    @cached_property
    def declared(self) -> frozenset[str]:
        """What the project says that it needs."""
        return declared_modules(self._root)

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where modules are looked for."""
        venv = Path(environment(self._root).get("VIRTUAL_ENV", sys.prefix))
        holds = self._holds if self._chooses(venv) else _is_folder
        sites = [folder for folder in site_folders(venv) if holds(folder)]
        named = dict.fromkeys(folder for site in sites for folder in _linked(site, venv))
        if len(named) > MOST_LINKED:
            self._left_out.update(named)
        linked = [folder for folder in islice(named, MOST_LINKED) if holds(folder)]
        own = [folder for folder in (self._root, self._root / "src", self._root / "lib") if self._holds(folder)]
        library = Path(sys.modules["os"].__file__ or "").parent
        return tuple(folder for folder in (*own, *sites, *linked, library) if _is_folder(folder))

    def _chooses(self, venv: Path) -> bool:
        """Whether an environment is one that the project brings, and the project is not trusted."""
        inside = venv.is_relative_to(self._root) or _is_inside(venv, self._root)
        return inside and not is_trusted(self._root)

    @cached_property
    def _left_out(self) -> set[Path]:
        """Folders of the import path that are not looked at."""
        return set()

    def _holds(self, folder: Path) -> bool:
        """Whether a folder may be looked at for lying in the project; one that exists elsewhere is left out."""
        if _is_inside(folder, self._root):
            return True
        if _is_folder(folder):
            self._left_out.add(folder)
        return False


def module_path(root: Path) -> ModulePath:
    """The import path of a project, read anew when it may have changed."""
    return _module_path(root, int(time.monotonic() / FRESH_S))


@lru_cache(maxsize=8)
def _module_path(root: Path, period: int) -> ModulePath:
    return ModulePath(root)


def inside(folder: Path, root: Path) -> frozenset[str] | None:
    """The modules in a folder of a project; None if it is none, or not all of them are known."""
    return _modules_in([folder]) if _is_folder(folder) and _is_inside(folder, root) else None


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (Path's raises where it may not look)


def _is_inside(path: Path, root: Path) -> bool:
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):  # a null character, or a name that is too long
        return False


def _modules_in(folders: Iterable[Path]) -> frozenset[str] | None:
    """The modules in folders; None if one of them cannot be looked at."""
    found = set()
    entries = (entry for folder in folders for entry in projectfile.read_folder(folder))
    try:
        for number, (entry, is_folder) in enumerate(entries):
            if number >= MOST_NAMES:
                log.info("modules are not known: their folders hold more than %d names", MOST_NAMES)
                return None
            stem, dot, _ = entry.partition(".")
            if stem.isidentifier() and (entry.endswith(SUFFIXES) or (not dot and is_folder)):
                found.add(stem)
    except ProjectFileError as error:
        log.info("modules are not known: %s", error)
        return None
    return frozenset(found)


def _linked(site: Path, venv: Path) -> Iterator[Path]:
    """The folders that .pth files name: further ones of the import path."""
    try:
        names = [name for name, _ in projectfile.read_folder(site) if name.endswith(".pth")]
    except ProjectFileError:
        return
    for name in names[:LINKS]:
        try:
            text = projectfile.read_text(site / name, venv, limit=LINKS_SIZE) or ""
        except ProjectFileError as error:
            log.info("a list of folders is left out: %s", error)
            continue
        lines = [line.strip() for line in text.splitlines()[:LINKS]]
        yield from (site / line for line in lines if line and not line.startswith(("#", "import ")))
