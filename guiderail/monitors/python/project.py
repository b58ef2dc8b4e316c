"""What analysers of Python are told of a project: its version of Python, its interpreter, and where modules are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from guiderail import projectfile
from guiderail.allowance import Allowance
from guiderail.monitors.python.elsewhere import walk
from guiderail.monitors.python.interpreter import Interpreter, Version
from guiderail.monitors.python.layout import MANIFESTS
from guiderail.monitors.python.modules import READ_S, ModulePath
from guiderail.monitors.python.version import version_of
from guiderail.projectfile import ProjectFileError

DEEPEST, MOST_FOLDERS, MOST_PROJECTS = 4, 500, 50  # that are looked through for projects inside a project
_ENVIRONMENTS = frozenset({".venv", "venv"})
# At the top of many projects; who imports one means that of the own project.
_NEVER_IMPORTED = frozenset({
    "benchmarks", "conftest", "docs", "examples", "manage", "noxfile", "scripts", "setup", "test", "tests",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class PythonProject:
    """A project as its analyser sees it.

    Parameters
    ----------
    root
        Its folder.
    version
        Of Python.
    interpreter
        The Python that runs it, which may lie in the project.
    roots
        The folders that modules are imported from, but for those above the importing file, and where two hold modules
        of one name: which of them is meant depends on the file.
    packages
        The folders that packages are installed in, and those that they link to.
    """

    root: Path
    version: Version
    interpreter: Interpreter
    roots: tuple[Path, ...]
    packages: tuple[Path, ...]

    @property
    def version_text(self) -> str:
        """The version as it is written."""
        return "{}.{}".format(*self.version)


def python_project(root: Path, python: str = "", trust: str = "listed") -> PythonProject:
    """What is found of a project, and of the projects inside it.

    Parameters
    ----------
    root
        The project's folder.
    python
        The interpreter or environment that a person named.
    trust
        Whether the project is trusted: always, never, or if it is listed.
    """
    allowance = Allowance(READ_S)
    with allowance.used():
        paths = [ModulePath(root, folder, python, trust, allowance) for folder in (root, *_projects(root))]
        return _python_project(root, paths)


def _python_project(root: Path, paths: list[ModulePath]) -> PythonProject:
    main = next((path for path in paths if not path.interpreter.is_guess), paths[0])
    roots = dict.fromkeys(folder for path in paths for folder in (*path.roots, *path.mapped_folders))
    packages = dict.fromkeys(folder for path in (main, *paths) for folder in path.packages)
    versions = [version_of(path.interpreter, root, path.folder) for path in (main, *paths)]
    version = max(versions) if main.interpreter.is_guess else versions[0]
    return PythonProject(root, version, main.interpreter, tuple(_unmistakable(roots)), tuple(packages))


def pyrefly_configuration(project: PythonProject, *, trusted: bool) -> str:
    """A configuration file for pyrefly, which asks an interpreter only in a trusted project.

    Modules beside the file that imports, and in the folders above, it finds itself, file by file.
    """
    program = project.interpreter.program
    asks = trusted and not project.interpreter.is_guess and projectfile.is_file(program)
    lines = {
        # Of files elsewhere, or in folders with a dot, it would tell no errors.
        "project-includes": _written([project.root]),
        "disable-project-excludes-heuristics": True,
        "python-version": project.version_text,
        "search-path": _written(project.roots),
        "site-package-path": _written(project.packages),
        "enable-fallback-search-path": True,
    }
    lines |= {"python-interpreter-path": str(program)} if asks else {"skip-interpreter-query": True}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in lines.items())


def _toml(value: bool | str | list[str]) -> str:
    """A value in TOML: JSON's own, but for characters above U+FFFF, which JSON escapes by halves."""
    return json.dumps(value, ensure_ascii=False)


def _written(folders: Iterable[Path]) -> list[str]:
    """The names of folders, without those that are not Unicode."""
    return [str(folder) for folder in folders if str(folder).isprintable()]


def _unmistakable(folders: Iterable[Path]) -> Iterator[Path]:
    """The folders that hold no module of a name that another one has too, parts of a namespace aside."""
    names = {folder: set(_modules_in(folder)) for folder in folders}
    count = Counter(name for found in names.values() for name in found)
    yield from (folder for folder, found in names.items() if all(count[name] == 1 for name in found))


def _modules_in(folder: Path) -> Iterator[str]:
    try:
        entries = projectfile.read_folder(folder)
    except ProjectFileError:
        return
    for name, is_folder in entries:
        stem, _, ending = name.partition(".")
        is_package = is_folder and any(
            projectfile.is_file(folder / name / init) for init in ("__init__.py", "__init__.pyi")
        )
        if (is_package or ending in ("py", "pyi")) and stem not in _NEVER_IMPORTED:
            yield stem


def _projects(root: Path) -> Iterator[Path]:
    """The projects inside a project, the outermost first."""
    marks = MANIFESTS | _ENVIRONMENTS
    inside = islice(walk(root, DEEPEST, MOST_FOLDERS), 1, None)
    return islice((folder for folder, entries in inside if any(name in marks for name, _ in entries)), MOST_PROJECTS)
