"""What a Python project says that it needs: it may be imported even where it is not installed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_PREFIX = re.compile(r"^(?:python_|py_?)")  # python-dateutil, PyYAML


def declared_modules(root: Path) -> frozenset[str]:
    """The modules that the requirements of a project are likely to bring, extras included.

    A distribution's name is taken for its module's, also in small letters and without ``python-``: what is wrong is
    merely allowed.
    """
    found: set[str] = set()
    for requirement in _requirements(root):
        if name := _NAME.match(requirement):
            module = re.sub(r"[.-]+", "_", name[1])
            found |= {module, module.lower(), _PREFIX.sub("", module.lower())}
    return frozenset(found)


def _requirements(root: Path) -> Iterator[str]:
    for file in sorted(root.glob("*requirements*.txt")):
        with suppress(OSError):  # a dangling link too has a name
            yield from file.read_text(encoding="utf-8", errors="replace").splitlines()
    yield from _of_pyproject(root / "pyproject.toml")
    yield from _of_setup(root / "setup.cfg")
    for folder in (*root.glob("*.dist-info"), *root.glob("*.egg-info"), *root.glob("src/*.egg-info")):
        yield from Distribution.at(folder).requires or ()


def _of_pyproject(file: Path) -> Iterator[str]:
    try:
        declared = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):  # it may be half edited just now
        return
    yield from _texts(_part(declared, "project", "dependencies"))
    for extras in (_part(declared, "project", "optional-dependencies"), _part(declared, "dependency-groups")):
        for requirements in extras.values() if isinstance(extras, dict) else ():
            yield from _texts(requirements)
    yield from _texts(_part(declared, "tool", "poetry", "dependencies"))
    groups = _part(declared, "tool", "poetry", "group")
    for group in groups.values() if isinstance(groups, dict) else ():
        yield from _texts(_part(group, "dependencies"))


def _of_setup(file: Path) -> Iterator[str]:
    setup = ConfigParser(interpolation=None)
    try:
        setup.read(file, encoding="utf-8")
    except (ConfigError, UnicodeDecodeError):
        return
    yield from setup.get("options", "install_requires", fallback="").splitlines()
    if setup.has_section("options.extras_require"):
        for requirements in dict(setup.items("options.extras_require")).values():
            yield from requirements.splitlines()


def _part(table: Any, *keys: str) -> Any:
    """What stands under a path of keys; None where there is nothing, or something else than tables on the way."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _texts(found: Any) -> Iterable[str]:
    """The texts of a list, or the keys of a table."""
    return (one for one in found if isinstance(one, str)) if isinstance(found, (list, dict)) else ()
