"""The modules that a Python file can import: the project's, its requirements', the environment's, the library's."""

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
from guiderail.allowance import Allowance, unlimited
from guiderail.monitors.analysis.workspaces import is_trusted
from guiderail.monitors.python import requirements
from guiderail.monitors.python.elsewhere import modules_elsewhere
from guiderail.monitors.python.installed import MOST_LINKED, Installed, installed_in
from guiderail.monitors.python.interpreter import Interpreter, ancestors, candidates
from guiderail.monitors.python.layout import renamed
from guiderail.monitors.python.requirements import Requirement
from guiderail.monitors.python.roots import from_environment, import_roots
from guiderail.projectfile import ProjectFileError, is_folder

log = logging.getLogger(__name__)
READ_S = 1.5  # of processor time, for all that is read of a project
FRESH_S = 5.0  # what is on disk is read again after this
SUFFIXES = (".py", ".pyi", ".pyc", ".so", ".pyd")
MOST_NAMES = 50_000  # in all folders that are looked at together
_INIT_SIZE = 1 << 16  # bytes of an __init__.py
# What an environment has before anything is installed: it says nothing of what a project needs.
TOOLS = frozenset({"distribute", "pip", "pkg-resources", "setuptools", "wheel"})
# Of Pythons from 3.8 on, which the one that guiderail runs in may have no more, or not yet.
OTHER_LIBRARY = frozenset(
    (
        "_bootlocale", "aifc", "annotationlib", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb", "chunk",
        "compression", "crypt", "distutils", "dummy_threading", "formatter", "graphlib", "imghdr", "imp", "lib2to3",
        "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "parser", "pipes", "smtpd", "sndhdr", "spwd", "sunau",
        "symbol", "telnetlib", "tomllib", "uu", "xdrlib", "zoneinfo",
    )
)  # fmt: skip


# Brought by the operating system, or by the program that a script runs in: no registry has them, nothing declares them.
HOSTED = frozenset(
    (
        "apt", "apt_pkg", "arcpy", "board", "bpy", "brlapi", "cairo", "cups", "dbus", "dbutils", "dnf", "gdb", "gi",
        "gimpfu", "gnome", "google", "hou", "idaapi", "idautils", "idc", "inkex", "js", "libvirt", "lldb", "louis",
        "machine", "mathutils", "maya", "micropython", "nuke", "orca", "pyodide", "qgis", "rpm", "selinux", "sublime",
        "sublime_plugin", "uno", "unohelper", "unreal", "vim", "xbmc", "xbmcaddon", "xbmcgui", "xbmcplugin",
    )
)  # fmt: skip


class ModulePath:
    """The import path of a project's files.

    What belongs to the project is looked at inside it alone, links followed: its folders, packages and environment, and
    what that links to. An environment that lies elsewhere, or a trusted project's, is the person's, and is followed
    wherever it leads.

    Parameters
    ----------
    root
        The project's folder.
    folder
        The folder of the files that import; by default the project's own.
    python
        The interpreter or environment that a person named; empty for the one that is found.
    trust
        Whether the project is trusted: always, never, or if it is listed.
    allowance
        What reading may take, by default of this import path alone. Once it is used up, modules are not known.
    """

    def __init__(
        self,
        root: Path,
        folder: Path | None = None,
        python: str = "",
        trust: str = "listed",
        allowance: Allowance | None = None,
    ) -> None:
        self.allowance = allowance or Allowance(READ_S)
        self.root = root
        self.folder = _within(folder or root, root)
        self._python, self._trust = python, trust
        self._known: dict[str, frozenset[str] | None] = {}  # modules by package
        self._left_out: set[Path] = set()  # folders of the import path that are not looked at

    def modules(self, package: str = "") -> frozenset[str] | None:
        """The modules in a package, or all at the top; None if the package's folder is not known, or not all of them.

        What was left out (a folder with too many names, one outside the project) may hold the right one. Folders are
        listed once.
        """
        if package not in self._known:
            with self.allowance.used():
                found = self._modules(package)
            self._known[package] = None if self.allowance.is_spent else found
        return self._known[package]

    def _modules(self, package: str) -> frozenset[str] | None:
        if not package:
            brought = {name.partition(".")[0] for name in (*self.declared, *self._mapped)}
            own = _modules_in(self.folders)
            if own is None or self._left_out:
                return None
            return own | brought | sys.stdlib_module_names | set(sys.builtin_module_names) | OTHER_LIBRARY
        found = list(self._places(package))
        places = [(folder, place) for folder, place in found if is_folder(place)]
        if any(_is_inside(folder, self.root) and not _is_inside(place, self.root) for folder, place in places):
            return None
        if not places or any(_changes_path(place) for _, place in places):
            return None
        names = _modules_in(place for _, place in places)
        return None if names is None else names | _below(package, (*self.declared, *self._mapped))

    def elsewhere(self, package: str = "") -> frozenset[str]:
        """The modules that lie anywhere in the project, which may change its import path, or that a host brings."""
        with self.allowance.used():
            return modules_elsewhere(self.root, package) | (frozenset() if package else HOSTED)

    def doubt(self, package: str = "") -> str | None:
        """Why a module may exist that `modules` does not name; None if that is all.

        Where nothing is installed, or not what the project needs, nobody can say what may be imported at the top, or
        from a namespace that several distributions share.
        """
        with self.allowance.used():
            places = [place for _, place in self._places(package) if is_folder(place)] if package else []
            found = None if any(map(_init_of, places)) else self._doubt
        return "reading the project takes too long" if self.allowance.is_spent else found

    @cached_property
    def _doubt(self) -> str | None:
        is_guess = self.interpreter.is_guess and not self._fits(self.interpreter)
        if is_guess or not self.distributions - TOOLS:
            return "no environment"
        missing = (one.name for one in self.requirements if one.is_needed and one.name not in self.distributions)
        return None if all(map(requirements.is_known, missing)) else "not installed"

    @cached_property
    def interpreter(self) -> Interpreter:
        """The interpreter that runs the project: of those that nothing points to, the first with what it needs."""
        found = self._interpreters
        return next((one for one in found if not one.is_guess or self._fits(one)), found[-1])

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """What the project, and each that it is inside, says that it needs."""
        places = ancestors(self.folder, self.root)
        return tuple(dict.fromkeys(one for place in places for one in requirements.requirements(place, self.root)))

    @cached_property
    def declared(self) -> frozenset[str]:
        """The modules, with dots, of what the project says that it needs, and those that its folders are called."""
        places = ancestors(self.folder, self.root)
        own = (name for place in places for name in renamed(place, self.root))
        return frozenset(own).union(*(requirements.modules_of(one.name) for one in self.requirements))

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The folders of the project that modules are imported from."""
        if not self.folder.is_relative_to(self.root):
            self._left_out.add(self.folder)  # its neighbours can be imported, and are not looked at
        folders = [self.folder]
        real = _within(Path(os.path.realpath(self.folder)), self.root)  # links are followed by some, and not by others
        folders += [real] if real != self.folder and real.is_relative_to(self.root) else []
        try:
            found = dict.fromkeys(one for folder in folders for one in import_roots(self.root, folder))
        except ProjectFileError as error:
            log.info("modules are not known: %s", error)
            self._left_out.add(self.root)
            found = dict.fromkeys((self.folder, self.root))
        return tuple(one for one in found if is_folder(one) and self._holds(one))

    @cached_property
    def packages(self) -> tuple[Path, ...]:
        """The folders that packages are installed in, and those that they link to."""
        found: list[Path] = []
        for interpreter in self._chosen:
            holds = self._holds if self._is_brought(interpreter) else is_folder
            sites = [site for site in interpreter.sites if is_folder(site) and holds(site)]
            parts = [self._installed(site, interpreter) for site in sites]
            linked = [folder for one in parts for folder in one.folders]
            if len(linked) > MOST_LINKED or not all(one.is_whole for one in parts):
                self._left_out.update(linked or sites)
            self._left_out.update(folder for folder in linked if projectfile.is_file(folder))  # a zipped egg
            found += [
                *sites,
                *(folder for folder in islice(linked, MOST_LINKED) if is_folder(folder) and holds(folder)),
            ]
        return tuple(dict.fromkeys(found))

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where modules are looked for."""
        with self.allowance.used():
            return self._folders

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        library = self.interpreter.library
        extra = [folder for folder in from_environment() if is_folder(folder)]
        return tuple(dict.fromkeys((*self.roots, *extra, *self.packages, *([library] if library else ()))))

    @property
    def mapped_folders(self) -> tuple[Path, ...]:
        """The folders in which the modules lie that editable installations map."""
        found = (place.parents[name.count(".")] for name, place in self._mapped.items())
        return tuple(dict.fromkeys(folder for folder in found if is_folder(folder)))

    @cached_property
    def _interpreters(self) -> list[Interpreter]:
        return list(candidates(self.root, self.folder, self._python, trusted=self._is_trusted))

    @property
    def _chosen(self) -> list[Interpreter]:
        """The project's interpreter, and active ones, which may be it as well."""
        active = [one for one in self._interpreters if not one.is_guess and not one.is_own]
        return list(dict.fromkeys((self.interpreter, *active))) if not self._python else [self.interpreter]

    @cached_property
    def _is_trusted(self) -> bool:
        with unlimited():
            return is_trusted(self.root, self._trust)

    @cached_property
    def _mapped(self) -> dict[str, Path]:
        """The places of modules that editable installations map, by name with dots."""
        found: dict[str, Path] = {}
        for interpreter in self._chosen:
            holds = self._holds if self._is_brought(interpreter) else os.path.lexists
            for site in interpreter.sites:
                parts = self._installed(site, interpreter).modules.items()
                found |= {name: place for name, place in parts if holds(place)}
        return found

    @cached_property
    def distributions(self) -> set[str]:
        """The distributions that are installed."""
        return {name for one in self._chosen for site in one.sites for name in self._installed(site, one).names}

    def _fits(self, interpreter: Interpreter) -> bool:
        """Whether an interpreter has all that the project needs, and that is something."""
        needed = {one.name for one in self.requirements if one.is_needed}
        return bool(needed) and needed <= {
            name for site in interpreter.sites for name in self._installed(site, interpreter).names
        }

    def _installed(self, site: Path, interpreter: Interpreter) -> Installed:
        if site not in self._contents:
            brought = self._is_brought(interpreter)
            known = not brought or _is_inside(site, self.root)
            self._contents[site] = installed_in(site, interpreter.prefix) if known else Installed()
        return self._contents[site]

    @cached_property
    def _contents(self) -> dict[Path, Installed]:
        return {}

    def _is_brought(self, interpreter: Interpreter) -> bool:
        """Whether an interpreter is one that the project brings, and the project is not trusted."""
        prefix = interpreter.prefix
        inside = interpreter.is_own or prefix.is_relative_to(self.root) or _is_inside(prefix, self.root)
        return inside and not self._is_trusted

    def _places(self, package: str) -> Iterator[tuple[Path, Path]]:
        """The folders that a package may be, each with the folder that it is looked for in."""
        parts = package.split(".")
        for folder in self.folders:
            yield folder, folder.joinpath(*parts)
        for name, place in self._mapped.items():
            if f"{package}.".startswith(f"{name}."):
                yield place, place.joinpath(*parts[name.count(".") + 1 :])

    def _holds(self, folder: Path) -> bool:
        """Whether a folder may be looked at for lying in the project; one that exists elsewhere is left out."""
        if _is_inside(folder, self.root):
            return True
        if is_folder(folder):
            self._left_out.add(folder)
        return False


def module_path(root: Path, folder: Path | None = None, python: str = "", trust: str = "listed") -> ModulePath:
    """The import path of a folder's files, read anew when it may have changed."""
    return _module_path(root, folder, python, trust, int(time.monotonic() / FRESH_S))


@lru_cache(maxsize=8)
def _module_path(root: Path, folder: Path | None, python: str, trust: str, period: int) -> ModulePath:
    return ModulePath(root, folder, python, trust)


def modules_of_folder(folder: Path, root: Path) -> frozenset[str] | None:
    """The modules in a folder of a project; None if it is none, or not all of them are known."""
    return _modules_in([folder]) if is_folder(folder) and _is_inside(folder, root) else None


def _within(folder: Path, root: Path) -> Path:
    """A folder as it lies below a root, if it does so once links are followed; else as it is."""
    if folder.is_relative_to(root):
        return folder
    real, top = Path(os.path.realpath(folder)), os.path.realpath(root)
    return root / real.relative_to(top) if real.is_relative_to(top) else folder


def _below(package: str, modules: Iterable[str]) -> set[str]:
    """The names under a package that modules with dots have."""
    return {name[len(package) + 1 :].partition(".")[0] for name in modules if name.startswith(f"{package}.")}


def _init_of(place: Path) -> Path | None:
    """The __init__ of a package; None for a namespace, which may have parts elsewhere."""
    return next((file for name in ("__init__.py", "__init__.pyi") if projectfile.is_file(file := place / name)), None)


def _changes_path(place: Path) -> bool:
    """Whether a package looks for its modules elsewhere too."""
    file = _init_of(place)
    try:
        return file is not None and "__path__" in (projectfile.read_text(file, place, limit=_INIT_SIZE) or "")
    except ProjectFileError:
        return True


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
