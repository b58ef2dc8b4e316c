"""What guiderail must know of a language server, and where it is on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import platformdirs

CHECK_S = 20


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server can be had: from which registry, and under which names."""

    registry: Literal["pip", "npm", "go", "multilspy"]
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One language server.

    Parameters
    ----------
    name
        What a person calls it.
    languages
        LSP identifiers of what it understands.
    command
        Program and arguments; it speaks on standard input and output. ``{root}`` is the project's folder, ``{home}``
        the folder that it is installed in.
    obtain
        How to install it.
    source
        What ``guiderail analysers install`` fetches; None if it is not to be had in that way.
    private
        Whether its program counts only where guiderail has installed it.
    needs
        Further programs that have to be on the search path.
    check
        Arguments with which the program ends soon and with 0 if it is what its name says.
    options
        ``initializationOptions``; strings may hold the same words as the command.
    settings
        Answers to ``workspace/configuration``, by section.
    variables
        Environment variables.
    executes
        Whether it runs programs of the project: not to be started in a workspace that is not trusted.
    confined
        Where it needs no program of the project, if the kernel keeps it from starting one: its settings for such a
        workspace, by the project's folder.
    limit
        The most names that it ever gives; as many mean that some are missing.
    incomplete_means_missing
        Whether its ``isIncomplete`` says that names are missing, and not only that typing on may bring others.
    retries
        Whether it answers with nothing while it still reads the project: such answers are asked for again.
    probes
        Whether its hover tells that a type takes any name (TypeScript's index signatures).
    memory_mb
        Above this it is leaking, and started anew.
    """

    name: str
    languages: tuple[str, ...]
    command: tuple[str, ...]
    obtain: str
    source: Source | None = None
    private: bool = False
    needs: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    executes: bool = False
    confined: Callable[[Path], Mapping[str, Any]] | None = None
    limit: int | None = None
    incomplete_means_missing: bool = True
    retries: bool = False
    probes: bool = False
    memory_mb: int = 4000

    @property
    def home(self) -> Path:
        """The folder that ``guiderail analysers install`` puts it into."""
        return platformdirs.user_data_path("guiderail") / "analysers" / self.name

    def find(self) -> Path | None:
        """The program: what was installed for guiderail first, then beside this Python, then on the search path."""
        scripts = "Scripts" if os.name == "nt" else "bin"
        own = [self.home / "venv" / scripts, self.home / "node_modules" / ".bin", self.home / "bin"]
        others = [] if self.private else [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        places = [*map(str, own), *others]
        found = shutil.which(self.command[0], path=os.pathsep.join(places))
        if found is None or any(shutil.which(program) is None for program in self.needs):
            return None
        return Path(found) if not self.check or _works(found, self.check) else None

    def arguments(self, root: Path) -> list[str]:
        """The command's arguments for a project."""
        return [filled(word, root, self.home) for word in self.command[1:]]

    def introduction(self, root: Path) -> dict[str, Any]:
        """``initializationOptions`` for a project."""
        return filled(dict(self.options), root, self.home)


def filled(value: Any, root: Path, home: Path) -> Any:
    """A command's word or an option with ``{root}`` and ``{home}`` filled in, however deep."""
    if isinstance(value, str):
        return value.replace("{root}", str(root)).replace("{home}", str(home))
    if isinstance(value, Mapping):
        return {key: filled(one, root, home) for key, one in value.items()}
    return [filled(one, root, home) for one in value] if isinstance(value, (list, tuple)) else value


@cache
def _works(program: str, arguments: tuple[str, ...]) -> bool:
    """Whether a program is what its name says: rustup, for one, links names of programs that it has not installed."""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=CHECK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
