"""What was found of a Python file's surroundings, for a person to read: interpreter, import roots, packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.version import version_of

REMEDIES = {
    "no environment": "Activate the project's environment, make a .venv in it, or set python",
    "not installed": "Install what the project requires",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the modules of a file come from.

    Parameters
    ----------
    interpreter, found_by
        The folder of its environment, and what led to it.
    version
        Of Python.
    roots, packages
        Folders of the project's modules, and of installed ones.
    distributions
        How many are installed there.
    doubt
        Why the imports monitor forbids no module; None if it does.
    """

    interpreter: str
    found_by: str
    version: str
    roots: tuple[str, ...]
    packages: tuple[str, ...]
    distributions: int
    doubt: str | None

    @property
    def remedy(self) -> str:
        """What a person can do about the doubt."""
        return REMEDIES.get(self.doubt or "", "")

    def __str__(self) -> str:
        """In one line."""
        where = f"Python {self.version} in {self.interpreter} ({self.found_by})"
        packages = f"{self.distributions} distributions in {', '.join(self.packages)}"
        return f"{where}; modules of {', '.join(self.roots)}; {packages if self.packages else 'no packages'}"


def surroundings(root: Path, folder: Path | None = None, python: str = "", trust: str = "listed") -> Surroundings:
    """The surroundings of the files in a folder of a project.

    Parameters
    ----------
    root, folder
        The project, and the folder in it; by default the project's own.
    python
        The interpreter or environment that a person named.
    trust
        Whether the project is trusted: always, never, or if it is listed.
    """
    path = ModulePath(root, folder, python, trust)
    with path.allowance.used():
        return _described(path)


def _described(path: ModulePath) -> Surroundings:
    version = version_of(path.interpreter, path.root, path.folder)
    return Surroundings(
        interpreter=str(path.interpreter.prefix),
        found_by=path.interpreter.source,
        version="{}.{}".format(*version),
        roots=tuple(map(str, path.roots)),
        packages=tuple(map(str, path.packages)),
        distributions=len(path.distributions),
        doubt=path.doubt(),
    )
