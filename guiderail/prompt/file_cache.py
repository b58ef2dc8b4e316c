"""Values made from files and folders, kept until the file or folder changes."""

import os
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# File systems stamp changes with a clock that ticks every few milliseconds. What was read within this time of its
# last change may have changed again under the same stamp, so it is read once more (git calls this racy).
_RACY_NS = 50_000_000


def status_of(path: str) -> os.stat_result | None:
    """The file status of a path; None if it is missing or not accessible."""
    try:
        return os.stat(path)  # noqa: PTH116  a Path would cost five times the call, once per file and key stroke
    except (OSError, ValueError):
        return None


class FileCache(Generic[Value]):
    """A cache keyed by path that is valid while (modification time, size, inode) stay the same.

    Parameters
    ----------
    make
        Makes a path's value; it must handle a path that has just vanished.
    """

    def __init__(self, make: Callable[[str], Value]) -> None:
        self._make = make
        self._kept: dict[str, tuple[tuple[int, int, int], int, Value]] = {}
        self.made = 0  # how often a value was made, the measure of work done

    def get(self, path: str, status: os.stat_result) -> Value:
        """The value of a path whose present status is known."""
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        kept = self._kept.get(path)
        if kept and kept[0] == stamp and status.st_mtime_ns + _RACY_NS < kept[1]:
            return kept[2]
        now = time.time_ns()
        value = self._make(path)
        self.made += 1
        self._kept[path] = (stamp, now, value)
        return value

    def drop(self, path: str) -> None:
        """Forget a path that is gone; this and the next may be called from any thread."""
        self._kept.pop(path, None)

    def drop_below(self, folder: str) -> list[str]:
        """Forget all paths below a folder, and return them."""
        found = [path for path in tuple(self._kept) if path.startswith(f"{folder}/")]
        for path in found:
            self.drop(path)
        return found
