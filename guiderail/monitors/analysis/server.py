"""The language servers that guiderail knows, and where they are on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guiderail.errors import UsageError


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
        Program and arguments; it speaks on standard input and output.
    obtain
        How to install it.
    options
        ``initializationOptions``.
    settings
        Answers to ``workspace/configuration``, by section.
    executes
        Whether it runs programs of the project's environment: not to be started in a workspace that is not trusted.
    limit
        The most names that it ever gives; as many mean that some are missing.
    incomplete_means_missing
        Whether its ``isIncomplete`` says that names are missing, and not only that typing on may bring others.
    """

    name: str
    languages: tuple[str, ...]
    command: tuple[str, ...]
    obtain: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    executes: bool = False
    limit: int | None = None
    incomplete_means_missing: bool = True

    def find(self) -> Path | None:
        """The program: beside this Python first, then on the search path."""
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        found = shutil.which(self.command[0], path=search)
        return Path(found) if found else None


# In the order in which "auto" takes them; docs/monitors.md has the measurements behind it.
SERVERS = (
    Server(
        name="pyrefly",
        languages=("python",),
        command=("pyrefly", "lsp"),
        obtain="pip install pyrefly",
        # Without a configuration file of its own it reports no type errors.
        settings={"python": {"pyrefly": {"displayTypeErrors": "force-on"}}},
        executes=True,  # asks the project's Python where its packages are
    ),
    Server(
        name="ty",
        languages=("python",),
        command=("ty", "server"),
        obtain="pip install ty",
        limit=1000,
        incomplete_means_missing=False,  # it says so of every answer
    ),
    Server(
        name="basedpyright",
        languages=("python",),
        command=("basedpyright-langserver", "--stdio"),
        obtain="pip install basedpyright",
        settings={"basedpyright.analysis": {"diagnosticMode": "openFilesOnly"}},
        executes=True,
        incomplete_means_missing=False,  # as ty
    ),
    Server(
        name="jedi",
        languages=("python",),
        command=("jedi-language-server",),
        obtain="pip install jedi-language-server",
        executes=True,
    ),
)
NAMES = tuple(server.name for server in SERVERS)


def server_named(name: str) -> Server:
    """The server of that name.

    Raises
    ------
    UsageError
        There is none.
    """
    for server in SERVERS:
        if server.name == name:
            return server
    raise UsageError(f"there is no analyser {name!r}", f"Known are {', '.join(NAMES)}")


def choose(language: str | None, wanted: str = "auto") -> Server | None:
    """The server for a language: the one a person wants if it is for this language, else the first installed one."""
    for server in SERVERS:
        if language in server.languages and wanted in ("auto", server.name) and server.find():
            return server
    return None
