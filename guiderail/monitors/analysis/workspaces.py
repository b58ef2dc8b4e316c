"""Which workspaces a person trusts: only there may an analyser run programs of the project.

The list is the person's own and lies beside the person's settings; nothing inside a workspace can lengthen it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import platformdirs

from guiderail import private
from guiderail.errors import GuiderailError


def file() -> Path:
    """Where the list is: a folder a line."""
    return platformdirs.user_config_path("guiderail") / "trusted-workspaces"


def trusted() -> list[Path]:
    """The folders that are trusted, with all that is below them."""
    try:
        lines = file().read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise GuiderailError(f"cannot read {file()}: {error.strerror}", "Check its permissions") from error
    return [Path(line) for line in lines if line.strip()]


def is_trusted(folder: Path, trust: str = "listed") -> bool:
    """Whether programs of the project in `folder` may be run: always, never, or if the folder is listed."""
    if trust != "listed":
        return trust == "always"
    real = folder.resolve()  # a link that lies in a trusted folder does not make its target trusted
    return any(real.is_relative_to(one) for one in trusted())


def trust(folder: Path) -> None:
    """Put a folder on the list.

    Raises
    ------
    GuiderailError
        The list cannot be written.
    """
    real = folder.resolve()
    _write(lambda folders: folders if real in folders else [*folders, real])


def distrust(folder: Path) -> bool:
    """Take a folder off the list; whether it was on it."""
    real, before = folder.resolve(), trusted()
    _write(lambda folders: [one for one in folders if one != real])
    return real in before


def _write(change: Callable[[list[Path]], list[Path]]) -> None:
    lines = [f"{folder}\n" for folder in change(trusted())]
    try:
        private.write_text(file(), "".join(lines))
    except OSError as error:
        raise GuiderailError(f"cannot write {file()}: {error.strerror}", "Check its permissions") from error
