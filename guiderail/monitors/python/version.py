"""The version of Python that a project is written for, where its interpreter does not tell."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from guiderail import projectfile
from guiderail.monitors.python.interpreter import Interpreter, Version, ancestors, pinned, version_in
from guiderail.monitors.python.layout import calls, part
from guiderail.projectfile import ProjectFileError

OLDEST, NEWEST = (3, 8), (3, 15)  # that analysers are told of
SPECIFIER_READ = 200  # characters
_BOUND = re.compile(r"(>=|<=|==|~=|\^|~|>|<|!=|===)?\s*(\d)(?:\.(\d{1,3}))?((?:\.\d+)?)")


def version_of(interpreter: Interpreter, root: Path, folder: Path) -> Version:
    """The version that a folder's files are run by.

    An interpreter's own, unless the project excludes it: then it is another one's. Without an interpreter it is what
    the project pins, or the nearest to guiderail's own that it allows.
    """
    places = ancestors(folder, root)
    lowest, highest = _bounds([text for place in places for text in _declared(place, root)])
    known = None if interpreter.is_guess else interpreter.version
    if known and lowest <= known <= highest:
        return known
    names = (version_in(name) for place in places for name in pinned(place, root))
    wanted = next((version for version in names if version), None) or interpreter.version or sys.version_info[:2]
    return max(lowest, min(highest, wanted))


def _bounds(specifiers: Sequence[str]) -> tuple[Version, Version]:
    """The oldest and the newest version that the nearest specifier allows."""
    lowest, highest = OLDEST, NEWEST
    for operator, major, minor, rest in _BOUND.findall(specifiers[0][:SPECIFIER_READ] if specifiers else ""):
        version = int(major), int(minor or 0)
        if operator in (">=", "~=", "^", "~", "==", "===", ""):
            lowest = max(lowest, version)
        if operator == ">":
            lowest = max(lowest, version if rest else (version[0], version[1] + 1))
        if operator in ("==", "===", "", "~", "<=") and minor:
            highest = min(highest, version)
        if operator == "<" and minor:
            highest = min(highest, version if rest.strip(".0") else (version[0], version[1] - 1))
    lowest = min(lowest, NEWEST)
    return lowest, max(lowest, highest)


def _declared(folder: Path, root: Path) -> Iterator[str]:
    for reader in (_of_pyproject, _of_setup, _of_script, _of_pipfile):
        try:
            found = (one for one in reader(folder, root) if isinstance(one, str))
            yield from (one for one in found if _BOUND.search(one[:SPECIFIER_READ]))
        except ProjectFileError:  # it may be half edited just now
            continue


def _of_pyproject(folder: Path, root: Path) -> list[Any]:
    said = projectfile.read_toml(folder / "pyproject.toml", root)
    return [part(said, "project", "requires-python"), part(said, "tool", "poetry", "dependencies", "python")]


def _of_setup(folder: Path, root: Path) -> list[Any]:
    return [projectfile.read_ini(folder / "setup.cfg", root).get("options", "python_requires", fallback=None)]


def _of_script(folder: Path, root: Path) -> list[Any]:
    keywords = (keyword for call in calls(folder / "setup.py", root) for keyword in call.keywords)
    return [getattr(one.value, "value", None) for one in keywords if one.arg == "python_requires"]


def _of_pipfile(folder: Path, root: Path) -> list[Any]:
    said = projectfile.read_toml(folder / "Pipfile", root)
    return [part(said, "requires", "python_version"), part(said, "requires", "python_full_version")]
