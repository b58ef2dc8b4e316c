"""The requirements that a Python project declares: they may be imported even where they are not installed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from email.errors import MessageError
from importlib.metadata import Distribution
from itertools import islice
from pathlib import Path
from typing import Any

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_PREFIX = re.compile(r"^(?:python_|py_?)")  # python-dateutil, PyYAML
_FILES = 50  # of one kind
_LONG = 200  # characters of a line that are looked at
_LINES = 50_000  # requirements in all files together
_METADATA = 1 << 17  # bytes


def declared_modules(root: Path) -> frozenset[str]:
    """The modules that the requirements of a project are likely to bring, extras included.

    A distribution's name is taken for its module's, also in small letters and without ``python-``: what is wrong is
    merely allowed. A file that cannot be read declares nothing: it may be half edited just now.
    """
    found: set[str] = set()
    for requirement in islice(_requirements(root), _LINES):
        if name := _NAME.match(requirement[:_LONG]):
            module = re.sub(r"[.-]+", "_", name[1])
            found |= {module, module.lower(), _PREFIX.sub("", module.lower())}
    return frozenset(found)


def _requirements(root: Path) -> Iterator[str]:
    readers = (_of_lists, _of_pyproject, _of_setup, lambda root: _of_metadata(root, root))
    for reader in (*readers, lambda root: _of_metadata(root / "src", root)):
        try:
            yield from reader(root)
        except ProjectFileError as error:
            log.info("no requirements: %s", error)


def _of_lists(root: Path) -> Iterator[str]:
    names = [name for name, _ in projectfile.read_folder(root) if "requirements" in name and name.endswith(".txt")]
    for name in names[:_FILES]:
        try:
            text = projectfile.read_text(root / name, root)
        except ProjectFileError as error:
            log.info("no requirements: %s", error)
            continue
        yield from (text or "").splitlines()  # a dangling link too has a name


def _of_pyproject(root: Path) -> Iterator[str]:
    declared = projectfile.read_toml(root / "pyproject.toml", root)
    yield from _texts(_part(declared, "project", "dependencies"))
    for extras in (_part(declared, "project", "optional-dependencies"), _part(declared, "dependency-groups")):
        for requirements in extras.values() if isinstance(extras, dict) else ():
            yield from _texts(requirements)
    yield from _texts(_part(declared, "tool", "poetry", "dependencies"))
    groups = _part(declared, "tool", "poetry", "group")
    for group in groups.values() if isinstance(groups, dict) else ():
        yield from _texts(_part(group, "dependencies"))


def _of_setup(root: Path) -> Iterator[str]:
    setup = projectfile.read_ini(root / "setup.cfg", root)
    yield from setup.get("options", "install_requires", fallback="").splitlines()
    if setup.has_section("options.extras_require"):
        for requirements in dict(setup.items("options.extras_require")).values():
            yield from requirements.splitlines()


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


def _of_metadata(place: Path, root: Path) -> Iterator[str]:
    endings = (".egg-info",) if place != root else (".dist-info", ".egg-info")
    folders = [name for name, is_folder in projectfile.read_folder(place, root) if is_folder and name.endswith(endings)]
    for name in folders[:_FILES]:
        try:
            yield from _Described(place / name, root).requires or ()
        except (ProjectFileError, MessageError, ValueError, TypeError, AttributeError) as error:
            log.info("no requirements in %s: %s", place / name, type(error).__name__)


def _part(table: Any, *keys: str) -> Any:
    """The value under a path of keys; None where there is none, or a part of the path is no table."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _texts(found: Any) -> Iterable[str]:
    """The texts of a list, or the keys of a table."""
    return (one for one in found if isinstance(one, str)) if isinstance(found, (list, dict)) else ()
