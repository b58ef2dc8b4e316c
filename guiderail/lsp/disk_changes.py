"""What changed on the disk in a project, for clients that do not watch files: found by looking again after a save."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from guiderail.lsp.connection import Connection
from guiderail.lsp.file_watching import is_named
from guiderail.prompt.ignore import is_apart

MOST_FILES, MOST_FOLDERS = 20_000, 5_000  # of one project that are looked at
MOST_PROJECTS = 8  # that are remembered; of more the one seen last counts
SLICE_S = 0.02  # for which a look has the event loop to itself

Look = Generator[None, None, list[Path]]  # a step for each folder, and then the files that changed
_Stamps = dict[Path, tuple[int, int, int]]  # when a file was changed, its size and its number on the disk


class DiskChanges:
    """The code and project files of some projects as they were seen last."""

    def __init__(self) -> None:
        self._seen: dict[Path, _Stamps] = {}

    def knows(self, root: Path) -> bool:
        """Whether a project was seen."""
        return root in self._seen

    def look(self, root: Path) -> Look:
        """The files that were written, came or went since the project was seen last; none at the first time."""
        found: _Stamps = {}
        is_whole = yield from _stamps(root, found)
        before = self._seen.pop(root, None)
        known = before or {}
        gone = [path for path in known if path not in found]
        # What was not reached this time is not gone.
        self._seen[root] = found if is_whole else known | found
        while len(self._seen) > MOST_PROJECTS:
            del self._seen[next(iter(self._seen))]
        written = [path for path, stamp in found.items() if known.get(path) != stamp]
        return [] if before is None else written + (gone if is_whole else [])


def hold_for(connection: Connection, look: Look, then: Callable[[list[Path]], None]) -> None:
    """Look, and act on what is found before the next message is taken; other clients are served meanwhile."""
    found = _slice_of(look)
    if found is None:
        connection.run_exclusively(_rest_of(look, then))
    else:
        then(found)


async def _rest_of(look: Look, then: Callable[[list[Path]], None]) -> None:
    while (found := _slice_of(look)) is None:
        await asyncio.sleep(0)
    then(found)


def _slice_of(look: Look) -> list[Path] | None:
    """Look for `SLICE_S`; what changed, or None if there is more to look at."""
    end = time.monotonic() + SLICE_S
    try:
        next(look)
        while time.monotonic() < end:
            next(look)
    except StopIteration as done:
        return done.value
    return None


def _stamps(root: Path, found: _Stamps) -> Generator[None, None, bool]:
    """Find the files of a project, a step for each folder; whether these are all."""
    folders, count = [str(root)], 0
    while folders:
        count += 1
        if count > MOST_FOLDERS or len(found) > MOST_FILES:
            return False
        for entry in _entries(folders.pop()):
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not is_apart((entry.name,)):
                        folders.append(entry.path)
                elif is_named(entry.name):
                    status = entry.stat()
                    found[Path(entry.path)] = (status.st_mtime_ns, status.st_size, status.st_ino)
            except OSError:  # gone meanwhile, or a link to nowhere
                continue
        yield
    return True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
