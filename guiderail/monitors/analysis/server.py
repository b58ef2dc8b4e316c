"""The description of a language server: how it is found, started and configured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import platformdirs

from guiderail import programs
from guiderail.monitors.python.interpreter import Interpreter, active, candidates, named

CHECK_S = 20


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server can be fetched: the registry, and the names of the packages."""

    registry: Literal["pip", "npm", "go", "multilspy"]
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project that a server works on.

    Parameters
    ----------
    root
        Its folder.
    trusted
        Whether its programs may be run.
    python
        The interpreter or environment that a person named for it; empty for the one that is found.
    scratch
        A folder for files that the server is to read.
    """

    root: Path
    trusted: bool
    python: str
    scratch: Path


@dataclass(frozen=True, slots=True)
class Told:
    """What a server is told of a workspace: more settings and options, which go before its others."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


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
        the folder that it is installed in, ``{cache}`` one that it
        may write in, ``{empty}`` an empty one.
    obtain
        How to install it.
    source
        What ``guiderail analysers install`` fetches; None if it is not to be had in that way.
    private
        Whether its program counts only where guiderail has installed it.
    needs
        Further programs that have to be on the search path.
    beside
        A file that must have been installed with the program, such as ``node_modules/typescript/lib/tsserver.js``: it
        is looked for in the folders above the program, links followed, and never in the project. ``{beside}`` in the
        options is its path.
    check
        Arguments with which the program ends soon and with 0 if it is what its name says.
    options
        ``initializationOptions``; strings may hold the same words as the command.
    settings
        Answers to ``workspace/configuration``, by section.
    variables
        Environment variables.
    untrusted_variables
        Further ones in a workspace that is not trusted.
    toolchain
        A command that prints the folder whose ``bin`` has the programs that it starts itself: a shim (asdf's, mise's)
        in their place would choose by files of the project.
    executes
        Whether it runs programs of the project: not to be started in a workspace that is not trusted.
    confined
        Where it needs no program of the project, if the kernel keeps it from starting one: its settings for such a
        workspace, by the project's folder.
    told
        What it is told of a project besides, where it would not find that itself.
    alone
        Whether it is one binary that needs no other program: the kernel keeps it from starting one, where it can, in
        a workspace that is not trusted.
    unguarded
        Further arguments in such a workspace, where the kernel cannot keep it from writing elsewhere.
    limit
        The most names that it ever gives; as many mean that some are missing.
    incomplete_means_missing
        Whether its ``isIncomplete`` says that names are missing, and not only that typing on may bring others.
    retries
        Whether it answers with nothing while it still reads the project: such answers are asked for again.
    probes
        Whether its hover tells that a type takes any name (TypeScript's index signatures).
    sees_unsaved
        Whether an import of a file that is open shows it what the open document holds, and not what the file does.
    finds_references
        Whether it finds all uses of a name in the project's files, open or not.
    marks
        Whether it offers the same before a name that stands at the offset already (`requests.Request.mark`).
    memory_mb
        Above this it is leaking, and started anew. In a workspace that is not trusted the kernel gives none of its
        processes more.
    """

    name: str
    languages: tuple[str, ...]
    command: tuple[str, ...]
    obtain: str
    source: Source | None = None
    private: bool = False
    needs: tuple[str, ...] = ()
    beside: str = ""
    check: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    untrusted_variables: Mapping[str, str] = field(default_factory=dict)
    toolchain: tuple[str, ...] = ()
    executes: bool = False
    confined: Callable[[Path], Mapping[str, Any]] | None = None
    told: Callable[[Workspace], Told] | None = None
    alone: bool = False
    unguarded: tuple[str, ...] = ()
    limit: int | None = None
    incomplete_means_missing: bool = True
    retries: bool = False
    probes: bool = False
    sees_unsaved: bool = True
    finds_references: bool = False
    marks: bool = False
    memory_mb: int = 4000

    @property
    def home(self) -> Path:
        """The folder that ``guiderail analysers install`` puts it into."""
        return platformdirs.user_data_path("guiderail") / "analysers" / self.name

    def find(self, untrusted: Path | None = None) -> Path | None:
        """The program: what was installed for guiderail first, then beside this Python, then on the search path.

        Parameters
        ----------
        untrusted
            A workspace that is not trusted: what lies in it does not count, unless guiderail itself runs from there.
        """
        scripts = "Scripts" if os.name == "nt" else "bin"
        own = [self.home / "venv" / scripts, self.home / "node_modules" / ".bin", self.home / "bin"]
        found = next((path for folder in own if (path := programs.within(folder, self.command[0]))), None)
        if found is None and not self.private:
            found = programs.find(self.command[0], untrusted, first=[Path(sys.executable).parent])
        if found is None or any(programs.find(program, untrusted) is None for program in self.needs):
            return None
        if self.beside and self._beside(Path(found)) is None:
            return None
        return Path(found) if not self.check or _works(found, self.check, untrusted) else None

    @property
    def cache(self) -> Path:
        """The folder for what it keeps, the only one that it may write in while it is confined."""
        return platformdirs.user_cache_path("guiderail").absolute() / "analysers" / self.name

    def arguments(self, root: Path, *, unguarded: bool = False) -> list[str]:
        """The command's arguments for a project."""
        words = [*self.command[1:], *(self.unguarded if unguarded else ())]
        return [filled(word, self._words(root)) for word in words]

    def introduction(self, root: Path, program: Path) -> dict[str, Any]:
        """``initializationOptions`` for a project, for a program that was found."""
        return filled(dict(self.options), self._words(root) | {"{beside}": str(self._beside(program))})

    def environment(self, root: Path, *, trusted: bool, python: str = "") -> dict[str, str]:
        """The environment that it is started in, which leads to programs of the project only if that is trusted."""
        variables = environment(root, trusted=trusted, python=python) | dict(self.variables)
        if not trusted:
            variables |= filled(self.untrusted_variables, self._words(root))
            if self.toolchain and (folder := _told(self.toolchain, root)):
                variables["PATH"] = os.pathsep.join([str(Path(folder) / "bin"), variables["PATH"]])
        return variables

    def _words(self, root: Path) -> dict[str, str]:
        empty = programs.working_directory()
        return {"{root}": str(root), "{home}": str(self.home), "{cache}": str(self.cache), "{empty}": str(empty)}

    def _beside(self, program: Path) -> Path | None:
        """The file that was installed with a program, in the nearest folder above it."""
        places = (folder / self.beside for folder in program.resolve().parents)
        return next((place for place in places if place.is_file()), None)


def whole(path: Path) -> Path:
    """A path from the root of the file system on, without dots; links are left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path's leaves the dots)


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """A command's word or an option with words in braces replaced by their values, however deep."""
    if isinstance(value, str):
        return re.sub(r"\{\w+\}", lambda found: words.get(found[0], found[0]), value)
    if isinstance(value, Mapping):
        return {key: filled(one, words) for key, one in value.items()}
    return [filled(one, words) for one in value] if isinstance(value, (list, tuple)) else value


def environment(root: Path, *, trusted: bool = True, python: str = "") -> dict[str, str]:
    """An environment in which the project's Python is active: the one that a person named, its own, the active one.

    In a workspace that is not trusted what lies in it does not count.
    """
    variables = programs.environment(None if trusted else root)
    found = candidates(root, root, python, trusted=True) if trusted else _outside(root, (*named(python), *active()))
    prefix = next((one.prefix for one in found if not one.is_guess), Path(sys.prefix))
    if (prefix / "pyvenv.cfg").is_file():
        variables["VIRTUAL_ENV"] = str(prefix)
    elif (prefix / "conda-meta").is_dir():
        variables.pop("VIRTUAL_ENV", None)
        variables["CONDA_PREFIX"] = str(prefix)
    else:
        return variables
    folder = prefix / ("Scripts" if os.name == "nt" else "bin")
    variables["PATH"] = os.pathsep.join(filter(None, [str(folder), variables["PATH"]]))
    return variables


def _outside(root: Path, found: Iterable[Interpreter]) -> Iterator[Interpreter]:
    """The interpreters that a project does not hold, links followed."""
    real = os.path.realpath(root)
    places = (one for one in found if not one.prefix.is_relative_to(root))
    return (one for one in places if not Path(os.path.realpath(one.prefix)).is_relative_to(real))


@cache
def _works(program: str, arguments: tuple[str, ...], untrusted: Path | None) -> bool:
    """Whether a program works: rustup, for one, links names of programs that it has not installed.

    It must not see the project either: ``rust-toolchain.toml`` tells rustup which folder's programs to run.
    """
    done = _run([program, *arguments], untrusted)
    return done is not None and done.returncode == 0


@cache
def _told(command: tuple[str, ...], untrusted: Path) -> str:
    """What a command prints; empty if it fails."""
    program = programs.find(command[0], untrusted)
    done = _run([program, *command[1:]], untrusted) if program else None
    return done.stdout.decode(errors="replace").strip() if done and done.returncode == 0 else ""


def _run(command: list[str], untrusted: Path | None) -> subprocess.CompletedProcess[bytes] | None:
    """Run a program apart from any project; None if it cannot be started or takes too long.

    Nor does it find those of an untrusted one: a script looks for its interpreter, a shim for what it stands for.
    """
    try:
        folder = programs.working_directory()
        return subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=CHECK_S, check=False, cwd=folder,
            env=programs.environment(untrusted=untrusted or folder),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
