"""A name that an import brings into a file, and the project's files that may declare it."""

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tree_sitter import Node

DEEPEST = 50  # folders around a file that are looked at


class Files(Protocol):
    """The files of a project, by POSIX path relative to its root (`guiderail.prompt.project.Project`)."""

    def is_readable(self, path: str) -> bool:
        """Whether the path is a file that may be read."""
        ...

    def names(self, folder: str) -> tuple[str, ...]:
        """The readable files of a folder."""
        ...


class ReadableFiles(Files, Protocol):
    """Files whose text may be read too, such as manifests."""

    def read(self, path: str) -> str | None:
        """The text of a file; None if it cannot be read."""
        ...


class LimitReachedError(Exception):
    """A file's imports have been looked for in as many places as they may be."""


class Bounded:
    """The files of a project, of which at most so many are asked about; LimitReachedError is raised after that."""

    def __init__(self, files: Files, most: int, read: Callable[[str], str | None]) -> None:
        self._files = files
        self._left = most
        self.read = read

    def is_readable(self, path: str) -> bool:
        """See `Files.is_readable`."""
        self._left -= 1
        if self._left < 0:
            raise LimitReachedError
        return self._files.is_readable(path)

    def names(self, folder: str) -> tuple[str, ...]:
        """See `Files.names`."""
        return self._files.names(folder)


@dataclass(frozen=True, slots=True)
class Binding:
    """What one import binds.

    Parameters
    ----------
    files
        The files that may declare it, the likeliest first.
    local
        The name in the importing file; None if every declared name comes in (star imports, ``#include``, files of
        the same package).
    name
        The name in the files; None if `local` means the whole module.
    """

    files: tuple[str, ...]
    local: str | None = None
    name: str | None = None


def text_of(node: Node | None) -> str:
    """A node's source; empty for a missing node."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def under(folder: str, path: str) -> str:
    """A path seen from a folder, normalised: ``under("a/b", "../c")`` is ``"a/c"``."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return "" if joined == "." else joined


def ancestors(path: str) -> list[str]:
    """The folders that hold a file, innermost first, down to the root ``""``; of very many the innermost, and that."""
    folders = []
    while path and len(folders) < DEEPEST:
        path = posixpath.dirname(path)
        folders.append(path)
    return folders if folders and not path else [*folders, ""]


def existing(paths: Iterable[str], files: Files) -> tuple[str, ...]:
    """Those of the paths that may be read, in order, each once."""
    return tuple(path for path in dict.fromkeys(paths) if files.is_readable(path))
