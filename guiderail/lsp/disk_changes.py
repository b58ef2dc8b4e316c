"""What changed on the disk in a project, for clients that do not watch files: found by scanning again after a save."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from guiderail.lsp.connection import Connection
from guiderail.lsp.file_watching import is_named, watches
from guiderail.prompt.ignore import is_apart
from guiderail.prompt.project import find_root

MOST_FILES, MOST_FOLDERS = 20_000, 5_000  # of one project that are scanned
MOST_PROJECTS = 8  # that are remembered; of more the one seen last counts
SLICE_S = 0.02  # for which a scan has the event loop to itself
WAIT_S = 0.2  # for which a scan keeps the next message waiting at most; then it goes on in the background

Scan = Generator[None, None, list[Path]]  # a step for each entry of a folder, and then the files that changed
_Stamps = dict[Path, tuple[int, int, int]]  # when a file was changed, its size and its number on the disk


class DiskChanges:
    """The code and project files of some projects as they were seen last."""

    def __init__(self) -> None:
        self._seen: dict[Path, _Stamps] = {}
        self._scanned: set[Path] = set()

    def knows(self, root: Path) -> bool:
        """Whether a project was seen."""
        return root in self._seen

    def scan(self, root: Path) -> Scan:
        """The files that were written, came or went since the project was seen last; none at the first time.

        Nor any while another scan of the project is under way: what that one has passed already, the next one finds.
        """
        if root in self._scanned:
            return []
        self._scanned.add(root)
        try:
            return (yield from self._scan(root))
        finally:
            self._scanned.discard(root)

    def _scan(self, root: Path) -> Scan:
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


def is_scanned(root: Path, connection: Connection) -> bool:
    """Whether a root is to be scanned: it is a project's, and the client does not tell what changes in it.

    A client may name a person's whole home folder as the root of a file that is in no project.
    """
    return not watches(connection.client_capabilities) and find_root(root) is not None


def run_scan(connection: Connection, scan: Scan, then: Callable[[list[Path]], None]) -> None:
    """Scan, and act on what is found: before the next message is taken, unless that takes longer than `WAIT_S`."""
    end = time.monotonic() + WAIT_S
    found = _slice_of(scan)
    if found is None:
        connection.run_exclusively(_rest_of(connection, scan, then, end))
    else:
        then(found)


async def _rest_of(connection: Connection, scan: Scan, then: Callable[[list[Path]], None], end: float) -> None:
    while time.monotonic() < end:
        await asyncio.sleep(0)
        found = _slice_of(scan)
        if found is not None:
            then(found)
            return
    connection.spawn(_in_background(connection, scan, then))


async def _in_background(connection: Connection, scan: Scan, then: Callable[[list[Path]], None]) -> None:
    while not connection.is_ending:
        await asyncio.sleep(SLICE_S)  # as long for the messages as for the scan
        found = _slice_of(scan)
        if found is not None:
            then(found)
            return
    scan.close()


def _slice_of(scan: Scan) -> list[Path] | None:
    """Scan for `SLICE_S`; what changed, or None if there is more to scan."""
    end = time.monotonic() + SLICE_S
    try:
        next(scan)
        while time.monotonic() < end:
            next(scan)
    except StopIteration as done:
        return done.value
    return None


def _stamps(root: Path, found: _Stamps) -> Generator[None, None, bool]:
    """Find the files of a project, a step for each entry; whether these are all."""
    folders, count = [str(root)], 0
    while folders:
        count += 1
        if count > MOST_FOLDERS or len(found) > MOST_FILES:
            return False
        for entry in _entries(folders.pop()):
            yield
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not is_apart((entry.name,)):
                        folders.append(entry.path)
                elif is_named(entry.name):
                    status = entry.stat()
                    found[Path(entry.path)] = (status.st_mtime_ns, status.st_size, status.st_ino)
            except OSError:  # gone meanwhile, or a link to nowhere
                continue
    return True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
