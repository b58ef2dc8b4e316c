"""The requirements that a Python project declares: they may be imported even where they are not installed."""

from __future__ import annotations

import ast
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.errors import MessageError
from functools import cache
from importlib.metadata import Distribution
from itertools import islice
from pathlib import Path
from typing import Any

from guiderail import projectfile
from guiderail.monitors.python.installed import normalised
from guiderail.monitors.python.layout import calls, part, texts
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)
# A name ends at a blank, an extra, a marker, an address, a version or a comment; else it is an address or a file.
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)(?<!\.whl)(?<!\.zip)(?<!\.gz)(?=$|[\s\[;@(=<>!~,#\\])")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)")  # the name of what lies at an address
_ADDRESS = re.compile(
    r"\s*(?:-e\s*|--editable[\s=]+)?\w[\w+.-]*://[^/\s]*/(?:[^\s@#?]*/)?([A-Za-z0-9][\w.]*(?:-(?!\d)[\w.]+)*)"
)
_PREFIX = re.compile(r"^(?:python_|py_?)")  # python-dateutil, PyYAML
_SUFFIX = re.compile(r"_?(?:python|py|stubs)$")  # opencv-python, msgpack-py
_LOCKED = re.compile(r'^name = "([\w.-]+)"', re.MULTILINE)
_CONDA = re.compile(r"\s*-\s+(?:[\w-]+::)?([A-Za-z0-9][\w.-]*)")
_INLINE = re.compile(r"^# /// script\s*$(.*?)^# ///\s*$", re.MULTILINE | re.DOTALL)  # PEP 723
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
_INCLUDED = re.compile(r"\s*(?:(-r|--requirement)|-c|--constraint)[\s=]*([^\s#]+)")  # another list for pip
_LISTS = 500  # for pip, that are read
_FILES = 50  # of one kind
_LONG = 200  # characters of a line that are looked at
_LINES = 50_000  # requirements in all files together
_METADATA = 1 << 17  # bytes
_LOCK_SIZE = 1 << 22
_HEAD = 5_000  # characters of a script that may declare requirements
DISTRIBUTIONS = Path(__file__).parent / "distributions.json"  # made by datasets/distributions.py


@dataclass(frozen=True, slots=True)
class Requirement:
    """A distribution that a project says it needs, always or only sometimes (extras, groups, markers)."""

    name: str
    is_needed: bool = False


def requirements(folder: Path, root: Path) -> Iterator[Requirement]:
    """The requirements that the files of one folder of a project declare.

    A file that cannot be read declares nothing: it may be half edited just now.
    """
    found = (line for reader in _READERS for line in _read(reader, folder, root))
    for line, is_needed in islice(found, _LINES):
        if name := _name_in(line[:_LONG]):
            yield Requirement(normalised(name), is_needed and ";" not in line)


def _name_in(line: str) -> str | None:
    """The distribution that a requirement names.

    An address without a name is likely to end with it. If it does not, that is missing, and no module is forbidden.
    """
    found = _NAME.match(line) or (None if line.lstrip().startswith("#") else _EGG.search(line) or _ADDRESS.match(line))
    return re.sub(r"\.(?:git|whl|zip|tar|tar\.gz)$", "", found[1]) if found else None


def inline_requirements(text: str) -> Iterator[Requirement]:
    """What a script declares in its own first lines (PEP 723)."""
    if found := _INLINE.search(text[:_HEAD]):
        for name in re.findall(r"[\"']([A-Za-z0-9][\w.-]*)", found[1]):
            yield Requirement(normalised(name))


def modules_of(name: str) -> frozenset[str]:
    """The modules, with dots, that a distribution is known or likely to bring.

    What is guessed wrongly is merely allowed.
    """
    return frozenset(_table().get(name, ())) | guesses(name)


def guesses(name: str) -> frozenset[str]:
    """The modules that a distribution's normalised name suggests: without ``python``, with dots for dashes."""
    plain = name.replace("-", "_")
    bare = _PREFIX.sub("", _SUFFIX.sub("", plain))
    found = {plain, name.replace("-", "."), _PREFIX.sub("", plain), _SUFFIX.sub("", plain), bare}
    return frozenset(guess for guess in found if all(part.isidentifier() for part in guess.split(".")))


def is_known(name: str) -> bool:
    """Whether the modules of a distribution are known, and not guessed."""
    return name in _table()


@cache
def _table() -> dict[str, list[str]]:
    """The modules of well-known distributions, by normalised name."""
    return projectfile.read_json(DISTRIBUTIONS)


_Lines = Iterator[tuple[str, bool]]  # requirements, and whether they are always needed


def _read(reader: Callable[[Path, Path], _Lines], folder: Path, root: Path) -> _Lines:
    try:
        yield from reader(folder, root)
    except ProjectFileError as error:
        log.info("no requirements: %s", error)


def _of_lists(folder: Path, root: Path) -> _Lines:
    """Lists for pip, also in a folder ``requirements``, and what they include.

    Those for tests and tools need not be installed.
    """
    left = [
        (place / name, name == "requirements.txt")
        for place in (folder, folder / "requirements")
        for name, is_folder in projectfile.read_folder(place, root)
        if not is_folder and name.endswith((".txt", ".in")) and ("requirements" in name or place != folder)
    ]
    seen = set[tuple[Path, bool]]()
    while left:
        file, is_needed = one = left.pop()
        if one in seen or len(seen) >= _LISTS:
            continue
        seen.add(one)
        for line in _lines(file, root):
            yield line, is_needed
            if found := _INCLUDED.match(line[:_LONG]):  # what a constraint names need not be installed
                left.append((Path(os.path.normpath(file.parent / found[2])), is_needed and bool(found[1])))


def _lines(file: Path, root: Path) -> list[str]:
    try:
        return (projectfile.read_text(file, root) or "").splitlines()  # a dangling link too has a name
    except ProjectFileError as error:
        log.info("no requirements: %s", error)
        return []


def _of_pyproject(folder: Path, root: Path) -> _Lines:
    said = projectfile.read_toml(folder / "pyproject.toml", root)
    yield from ((line, True) for line in texts(part(said, "project", "dependencies")))
    tables = [part(said, "project", "optional-dependencies"), part(said, "dependency-groups")]
    tables += [part(said, "tool", "pdm", "dev-dependencies")]
    lists = [one for table in tables if isinstance(table, dict) for one in table.values()]
    lists += [part(said, "tool", "uv", "dev-dependencies"), part(said, "build-system", "requires")]
    for kind in ("group", "envs"):
        groups = part(said, "tool", "poetry" if kind == "group" else "hatch", kind)
        for group in groups.values() if isinstance(groups, dict) else ():
            lists += [part(group, "dependencies"), part(group, "extra-dependencies")]
    lists += [part(said, "tool", "poetry", "dev-dependencies"), part(said, "tool", "pixi", "dependencies")]
    lists += [part(said, "tool", "pixi", "pypi-dependencies")]
    yield from ((line, False) for found in lists for line in texts(found))
    needed = part(said, "tool", "poetry", "dependencies")
    for name, how in needed.items() if isinstance(needed, dict) else ():
        yield name, not (isinstance(how, (dict, list)) or name == "python")


def _of_setup(folder: Path, root: Path) -> _Lines:
    setup = projectfile.read_ini(folder / "setup.cfg", root)
    yield from ((line, True) for line in setup.get("options", "install_requires", fallback="").splitlines())
    if setup.has_section("options.extras_require"):
        for found in dict(setup.items("options.extras_require")).values():
            yield from ((line, False) for line in found.splitlines())


def _of_setup_script(folder: Path, root: Path) -> _Lines:
    """``install_requires`` and ``extras_require`` of a setup.py, read as text."""
    for call in calls(folder / "setup.py", root):
        for keyword in call.keywords:
            if keyword.arg in ("install_requires", "extras_require", "tests_require", "setup_requires"):
                for node in ast.walk(keyword.value):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value, keyword.arg == "install_requires"


def _of_other_tools(folder: Path, root: Path) -> _Lines:
    """Pipfile, conda's environment.yml, and lock files, which name what requirements require too."""
    pipfile = projectfile.read_toml(folder / "Pipfile", root)
    yield from ((name, True) for name in texts(part(pipfile, "packages")))
    yield from ((name, False) for name in texts(part(pipfile, "dev-packages")))
    for file in ("environment.yml", "environment.yaml"):
        text = projectfile.read_text(folder / file, root) or ""
        yield from ((found[1], False) for line in text.splitlines() if (found := _CONDA.match(line[:_LONG])))
    for file in _LOCKS:
        text = projectfile.read_text(folder / file, root, limit=_LOCK_SIZE) or ""
        yield from ((name, False) for name in _LOCKED.findall(text))


class _Described(Distribution):
    """A distribution described inside a project, whose files may hold anything."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder, self._root = folder, root

    def read_text(self, filename: str) -> str | None:
        """The text of one of its files; None where there is none. The empty name means the folder itself."""
        if not filename:
            return None
        return projectfile.read_text(self._folder / filename, self._root, limit=_METADATA)

    def locate_file(self, path: Any) -> Path:
        """Where one of the installed files is."""
        return self._folder.parent / path


def _of_metadata(folder: Path, root: Path) -> _Lines:
    for place, endings in ((folder, (".dist-info", ".egg-info")), (folder / "src", (".egg-info",))):
        named = [
            name for name, is_folder in projectfile.read_folder(place, root) if is_folder and name.endswith(endings)
        ]
        for name in named[:_FILES]:
            yield from ((line, False) for line in _described(place / name, root))


def _described(place: Path, root: Path) -> Iterable[str]:
    try:
        return _Described(place, root).requires or ()
    except (ProjectFileError, MessageError, ValueError, TypeError, AttributeError) as error:
        log.info("no requirements in %s: %s", place, type(error).__name__)
        return ()


_READERS = (_of_lists, _of_pyproject, _of_setup, _of_setup_script, _of_other_tools, _of_metadata)
