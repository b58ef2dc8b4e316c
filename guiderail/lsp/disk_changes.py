"""What changed on the disk in a project, for clients that do not watch files: found by looking again after a save."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from guiderail.lsp.file_watching import is_named
from guiderail.prompt.ignore import is_apart

MOST_FILES, MOST_FOLDERS = 20_000, 5_000  # of one project that are looked at
MOST_PROJECTS = 8  # that are remembered; of more the one seen last counts
LOOK_S = 1.0

_Stamps = dict[Path, tuple[int, int, int]]  # when a file was changed, its size and its number on the disk


class DiskChanges:
    """The code and project files of some projects as they were seen last. From any thread."""

    def __init__(self) -> None:
        self._seen: dict[Path, _Stamps] = {}
        self._lock = threading.Lock()

    def knows(self, root: Path) -> bool:
        """Whether a project was seen."""
        return root in self._seen

    def look(self, root: Path) -> list[Path]:
        """The files that were written, came or went since the project was seen last; none at the first time."""
        with self._lock:
            return self._look(root)

    def _look(self, root: Path) -> list[Path]:
        now, is_whole = _stamps(root)
        before = self._seen.pop(root, None)
        known = before or {}
        # What was not reached this time is not gone.
        kept = {} if is_whole else {path: stamp for path, stamp in known.items() if path not in now}
        self._seen[root] = now | kept
        while len(self._seen) > MOST_PROJECTS:
            del self._seen[next(iter(self._seen))]
        if before is None:
            return []
        written = [path for path, stamp in now.items() if known.get(path) != stamp]
        return written + ([path for path in known if path not in now] if is_whole else [])


def _stamps(root: Path) -> tuple[_Stamps, bool]:
    """The files of a project, and whether these are all."""
    end, found = time.monotonic() + LOOK_S, {}
    folders, count = [str(root)], 0
    while folders:
        count += 1
        if count > MOST_FOLDERS or len(found) > MOST_FILES or time.monotonic() > end:
            return found, False
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
    return found, True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
