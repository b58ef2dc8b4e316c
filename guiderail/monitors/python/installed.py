"""What an environment adds to the import path: folders of .pth files, and modules that editable installations map.

Nothing is executed: lines of .pth files that are code, and the finders that they import, are read as text.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)

LINKS = 100  # .pth files of a folder that are read, and lines of one
LINKS_SIZE = 1 << 16  # bytes of one
_FINDER_SIZE = 1 << 18  # bytes of an editable installation's finder
MOST_LINKED = 1000  # folders, and modules, that all of them name together
_FINDER = re.compile(r"import\s+([^\W\d]\w*)")
_MAPPING = re.compile(r"editable")  # in the names of modules that import others from elsewhere
# Code that names further folders, but for easy_install's, which moves those of the other lines to the front.
_ADDS = re.compile(r"^(?!.*\bsys\.__plen\b).*(?:\bsys\s*\.\s*path\b|\baddsitedir\b)")
_DISTRIBUTION = re.compile(r"([A-Za-z0-9][\w.]*(?:-(?!\d)[\w.]+)*?)(?:-\d[^/]*)?\.(?:dist-info|egg-info|egg-link)$")


@dataclass(slots=True)
class Installed:
    """What lies in, or is linked to from, a folder of packages.

    Attributes
    ----------
    folders
        Further folders of the import path.
    modules
        Places of single modules and packages, by dotted name.
    is_whole
        Whether all that it links to is known.
    names
        Distributions, by normalised name.
    """

    folders: list[Path] = field(default_factory=list)
    modules: dict[str, Path] = field(default_factory=dict)
    is_whole: bool = True
    names: set[str] = field(default_factory=set)


def normalised(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_in(site: Path, environment: Path) -> Installed:
    """What a folder of packages holds.

    Parameters
    ----------
    site
        The folder.
    environment
        The environment that it belongs to, out of which its files must not lead.
    """
    found = Installed()
    try:
        names = [name for name, _ in projectfile.read_folder(site)]
    except ProjectFileError as error:
        log.info("an environment's packages are not known: %s", error)
        found.is_whole = False
        return found
    found.names = {normalised(match[1]) for name in names if (match := _DISTRIBUTION.match(name))}
    links = [name for name in names if name.endswith((".pth", ".egg-link"))]
    found.is_whole = len(links) <= LINKS
    for name in links[:LINKS]:
        try:
            text = projectfile.read_text(site / name, environment, limit=LINKS_SIZE) or ""
            _read_links(name, text.splitlines(), site, environment, found)
        except ProjectFileError as error:
            log.info("a list of folders is left out: %s", error)
            found.is_whole = False
    found.folders = list(dict.fromkeys(found.folders))  # some are named again and again
    found.is_whole = found.is_whole and len(found.folders) + len(found.modules) <= MOST_LINKED
    return found


def _read_links(name: str, lines: list[str], site: Path, environment: Path, found: Installed) -> None:
    lines = [line.strip() for line in lines if line.strip()][: LINKS + 1]
    if name.endswith(".egg-link"):
        lines = lines[:1]  # the second is where the project's metadata is
    found.is_whole = found.is_whole and len(lines) <= LINKS
    for line in lines[:LINKS]:
        if line.startswith("#"):
            continue
        if line.startswith(("import ", "import\t")):
            found.is_whole = found.is_whole and not _ADDS.search(line)
            for finder in _FINDER.findall(line):
                if _MAPPING.search(finder):
                    _read_finder(site / f"{finder}.py", environment, found)
        else:
            found.folders.append(site / line)


def _read_finder(file: Path, environment: Path, found: Installed) -> None:
    """The modules that the finder of an editable installation maps to their sources.

    Setuptools writes ``MAPPING = {"name": "/place"}`` and ``NAMESPACES``, scikit-build-core ``{"name": "/place.py"}``
    among the arguments of ``install``, the package editables ``map_module("name", "/place")``, and meson-python the
    names alone: then what they hold is not known.
    """
    text = projectfile.read_text(file, environment, limit=_FINDER_SIZE)
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Module([], [])
    mapped = dict(islice(_mapped(tree), MOST_LINKED))
    found.is_whole = found.is_whole and bool(mapped)
    found.modules |= mapped


def _mapped(tree: ast.AST) -> Iterator[tuple[str, Path]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from ((name, place) for key, value in pairs for name, place in _pair(key, value))
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            yield from _pair(*node.args)


def _pair(key: ast.AST | None, value: ast.AST) -> Iterator[tuple[str, Path]]:
    """A module's name and the places that it is mapped to; the folder of a package's ``__init__.py``."""
    values = value.elts if isinstance(value, ast.List) else [value]
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return
    if not all(part.isidentifier() for part in key.value.split(".")):
        return
    for one in values:
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and Path(one.value).is_absolute():
            place = Path(one.value)
            yield key.value, place.parent if place.stem == "__init__" else place
