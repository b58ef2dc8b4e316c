"""Reads a project into a tree that is copied for tests: without following links, and within limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from guiderail.errors import UsageError

LARGEST = 50 << 20  # bytes of a project that is copied
MOST = 20_000  # files and folders of it
DEEPEST = 60  # folders in each other
LEFT_OUT = frozenset({"node_modules", "venv", "__pycache__", "target", "build", "dist"})

Entry = tuple[str, int, bytes | str | None]


class TreeError(UsageError):
    """A folder cannot be copied."""


class _Reader:
    """Reads one tree; every name is opened in the folder that was opened before it, so that no link is followed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._links: list[Entry] = []
        self._size = self._count = 0

    def read(self) -> list[Entry]:
        """The entries: folders before what they hold, links last."""
        try:
            folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise TreeError(f"{self._root} cannot be read: {error.strerror}", "Check its permissions") from error
        try:
            found = list(self._folder(folder, "", 0))
        finally:
            os.close(folder)
        return [*found, *self._links]

    def _folder(self, folder: int, at: str, depth: int) -> Iterator[Entry]:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            if name.startswith(".") or name in LEFT_OUT or not _can_be_written(name):
                continue
            path = f"{at}{name}"
            self._count += 1
            if self._count > MOST or depth > DEEPEST:
                raise self._too_large()
            try:
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                yield from self._entry(folder, name, path, mode, depth)
            except (PermissionError, FileNotFoundError, NotADirectoryError):
                continue  # not ours to read, or changed meanwhile

    def _entry(self, folder: int, name: str, path: str, mode: int, depth: int) -> Iterator[Entry]:
        """The entries of one name; none for a FIFO, a socket or a device."""
        if stat.S_ISLNK(mode):
            self._links += self._link(path)
        elif stat.S_ISDIR(mode):
            opened = _open(name, folder, os.O_DIRECTORY)
            try:
                yield path, stat.S_IMODE(mode) & 0o777, None
                yield from self._folder(opened, f"{path}/", depth + 1)
            finally:
                os.close(opened)
        elif stat.S_ISREG(mode) and (content := self._content(folder, name)) is not None:
            yield path, stat.S_IMODE(mode) & 0o777, content

    def _content(self, folder: int, name: str) -> bytes | None:
        with os.fdopen(_open(name, folder), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return None
            if self._size + found.st_size > LARGEST:
                raise self._too_large()
            content = file.read(LARGEST - self._size + 1)
        self._size += len(content)
        if self._size > LARGEST:
            raise self._too_large()
        return content

    def _link(self, path: str) -> list[Entry]:
        """A link, relative and inside the tree; none if it leads outside, or nowhere."""
        try:
            target = (self._root / path).resolve(strict=True)
            place = (self._root / path).parent.resolve(strict=True)
        except (OSError, RuntimeError):
            return []
        if not target.is_relative_to(self._root) or not place.is_relative_to(self._root):
            return []
        return [(path, 0o777, os.path.relpath(target, place))]

    def _too_large(self) -> TreeError:
        return TreeError(f"{self._root} is too large to be copied for tests", "Complete in a smaller project")


def read_tree(root: Path) -> list[Entry]:
    """Read a folder without hidden, installed and built files, and without all but regular ones.

    Parameters
    ----------
    root
        The folder, resolved.

    Returns
    -------
    Relative paths, permissions, and the content of a file, the target of a link, or None for a folder.

    Raises
    ------
    TreeError
        It is too large, or cannot be read.
    """
    return _Reader(root).read()


def _open(name: str, folder: int, flags: int = 0) -> int:
    """Open without following a link or waiting for a writer."""
    return os.open(
        name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags, dir_fd=folder
    )


def _can_be_written(name: str) -> bool:
    """Whether a name is text; the few that are not cannot be imported either."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
