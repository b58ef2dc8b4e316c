"""The files that a proposal may change, as they are now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from guiderail.monitors.analysis.server import whole
from guiderail.prompt.project import ignored
from guiderail.text.document import Document
from guiderail.text.source import SourceError, read_source


class Files:
    """The texts of a project's files: of an open document what it holds, of another what is on disk.

    Parameters
    ----------
    root
        The project. Nothing outside is changed, nor what its ignore rules leave out.
    opened
        The open documents by path.
    earlier
        What a file held before the change that is followed, if that is known.
    is_complete
        Whether `earlier` knows all files: one of which it has nothing is new.
    """

    def __init__(
        self,
        root: Path,
        opened: Mapping[Path, Document],
        earlier: Callable[[Path], Document | None] = lambda _: None,
        *,
        is_complete: bool = False,
    ) -> None:
        self.is_complete = is_complete
        self.earlier = earlier
        self._root = whole(root)
        self._opened = opened
        self._ignored = ignored(self._root)  # one for all paths: its rules may take a second to read
        self._known: dict[Path, Document | None] = {}

    def is_open(self, path: Path) -> bool:
        """Whether an editor holds it."""
        return path in self._opened

    def get(self, path: Path) -> Document | None:
        """What a file holds; None of one that must not be changed, or cannot be read."""
        if path not in self._known:
            may_change = self._may_change(path)
            self._known[path] = (self._opened.get(path) or self._read(path)) if may_change else None
        return self._known[path]

    def why_not(self, path: Path) -> str:
        """Why a file that is the project's own cannot be changed; "" of one that can, or is not its own."""
        if not self._is_own(path) or self.get(path) is not None:
            return ""
        return "the file cannot be read" if os.access(path, os.W_OK) else "the file is read-only"

    def _is_own(self, path: Path) -> bool:
        if path.is_symlink():
            return False  # what it leads to has a name of its own
        real = Path(os.path.realpath(path))
        is_inside = path.is_relative_to(self._root) and real.is_relative_to(os.path.realpath(self._root))
        return is_inside and not self._ignored(path)

    def _may_change(self, path: Path) -> bool:
        return self._is_own(path) and (os.access(path, os.W_OK) or not path.exists())

    def _read(self, path: Path) -> Document | None:
        try:
            return read_source(path)
        except SourceError:
            return None
