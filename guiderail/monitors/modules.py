"""The modules that a Python project can import: its own, what it needs, its environment's, the standard library's."""

from __future__ import annotations

import sys
import time
from functools import cached_property, lru_cache
from pathlib import Path

from guiderail.monitors.analysis.server import environment
from guiderail.monitors.declared import declared_modules

FRESH_S = 5.0  # what is on disk is read again after this
SUFFIXES = (".py", ".pyi", ".so", ".pyd")


class ModulePath:
    """The import path of a project.

    Parameters
    ----------
    root
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def modules(self, package: str = "") -> frozenset[str] | None:
        """The modules in a package, or all at the top; None if the package's folder is not known."""
        if not package:
            own = frozenset().union(*map(_modules_in, self.folders))
            return own | self.declared | sys.stdlib_module_names | frozenset(sys.builtin_module_names)
        places = [place for folder in self.folders if (place := folder.joinpath(*package.split("."))).is_dir()]
        return frozenset().union(*map(_modules_in, places)) if places else None

    @cached_property
    def declared(self) -> frozenset[str]:
        """What the project says that it needs."""
        return declared_modules(self._root)

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where modules are looked for."""
        sites = self._sites()
        linked = [Path(line.strip()) for site in sites for line in _links(site)]
        own = [self._root, self._root / "src", self._root / "lib"]
        library = Path(sys.modules["os"].__file__ or "").parent
        return tuple(folder for folder in (*own, *sites, *linked, library) if folder.is_dir())

    def _sites(self) -> list[Path]:
        venv = Path(environment(self._root).get("VIRTUAL_ENV", sys.prefix))
        return [*venv.glob("lib/python3*/site-packages"), venv / "Lib" / "site-packages"]


def module_path(root: Path) -> ModulePath:
    """The import path of a project, read anew when it may have changed."""
    return _module_path(root, int(time.monotonic() / FRESH_S))


@lru_cache(maxsize=8)
def _module_path(root: Path, period: int) -> ModulePath:
    return ModulePath(root)


def inside(folder: Path) -> frozenset[str] | None:
    """The modules in a folder; None if it is none."""
    return _modules_in(folder) if folder.is_dir() else None


def _modules_in(folder: Path) -> frozenset[str]:
    found = set()
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        if name.isidentifier() and (path.suffix in SUFFIXES or (not path.suffix and path.is_dir())):
            found.add(name)
    return frozenset(found)


def _links(site: Path) -> list[str]:
    """The lines of .pth files: further folders of the import path."""
    return [
        line
        for path in site.glob("*.pth")
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line and not line.startswith(("#", "import "))
    ]
