"""Which workspaces a person trusts: only there may an analyser run programs of the project.

The list is stored beside the person's settings; nothing inside a workspace can extend it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import platformdirs

from guiderail import private, projectfile
from guiderail.errors import GuiderailError
from guiderail.projectfile import ProjectFileError

_log = logging.getLogger(__name__)


def file() -> Path:
    """Where the list is: a folder a line."""
    return platformdirs.user_config_path("guiderail") / "trusted-workspaces"


def trusted() -> list[Path]:
    """The folders that are trusted, with all that is below them; a list that cannot be read trusts none."""
    try:
        return _listed()
    except ProjectFileError as error:
        _name(str(error))
        return []


def _listed() -> list[Path]:
    """The folders on the list; raises ProjectFileError if it cannot be read."""
    # A folder's name is what the file system says, in whatever encoding.
    lines = [os.fsdecode(line.rstrip(b"\r")) for line in (projectfile.read_bytes(file()) or b"").split(b"\n")]
    wrong = [line for line in lines if line.strip() and not _is_place(line)]
    if wrong:
        _name(f"{file()} has lines that are no folders, which are left out: {wrong[0]!r:.80}")
    return [Path(line) for line in lines if _is_place(line)]


def _is_place(line: str) -> bool:
    return Path(line).is_absolute() and "\0" not in line


@lru_cache(maxsize=8)
def _name(problem: str) -> None:
    """Log a problem once: the list is read for every analyser."""
    _log.warning("%s", problem)


def is_trusted(folder: Path, trust: str = "listed") -> bool:
    """Whether programs of the project in `folder` may be run: always, never, or if the folder is listed."""
    if trust != "listed":
        return trust == "always"
    real = folder.resolve()  # a link that lies in a trusted folder does not make its target trusted
    return any(real.is_relative_to(one) for one in trusted())


def trust(folder: Path) -> None:
    """Trust a folder.

    Raises
    ------
    GuiderailError
        The list cannot be written, or cannot hold the folder.
    """
    real = folder.resolve()
    if {"\n", "\r"} & set(str(real)):  # what follows would be a line of its own: another folder, trusted too
        raise GuiderailError(f"{str(real)!r} has a line break in its name", "Give the folder another name")
    _write(lambda folders: folders if real in folders else [*folders, real])


def distrust(folder: Path) -> bool:
    """Stop trusting a folder; whether it was trusted."""
    real, before = folder.resolve(), trusted()
    _write(lambda folders: [one for one in folders if one != real])
    return real in before


def _write(change: Callable[[list[Path]], list[Path]]) -> None:
    lines = [f"{folder}\n" for folder in change(_listed())]
    try:
        private.write_text(file(), "".join(lines))
    except OSError as error:
        raise GuiderailError(f"cannot write {file()}: {error.strerror}", "Check its permissions") from error
