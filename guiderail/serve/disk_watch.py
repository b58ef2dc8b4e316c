"""Finds what changed on the disk under the roots: clients of a server tell nothing of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from guiderail.lsp.disk_changes import DiskChanges, Scan

PAUSE_S = 1.0  # after a scan of a root until the next
SCAN_S = 0.2  # of scanning for which a request waits; the next request goes on with the same scan


class DiskWatch:
    """The files under some roots as they were seen last. Not safe for use by several threads at once.

    Parameters
    ----------
    roots
        The projects' folders.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._seen = {root: DiskChanges() for root in roots}  # one each: it remembers a few roots alone
        self._scans: dict[Path, Scan] = {}
        self._next: dict[Path, float] = {}  # when a root is to be scanned again

    def changed(self) -> list[Path]:
        """The files that were written, came or went since the last call; none at the first, which sees all."""
        end = time.monotonic() + SCAN_S
        return list(dict.fromkeys(path for root in self._seen for path in self._of(root, end)))

    def _of(self, root: Path, end: float) -> Iterator[Path]:
        if root not in self._scans and time.monotonic() < self._next.get(root, 0.0):
            return
        scan = self._scans.setdefault(root, self._seen[root].scan(root))
        while time.monotonic() < end:
            try:
                next(scan)
            except StopIteration as done:
                del self._scans[root]
                self._next[root] = time.monotonic() + PAUSE_S
                yield from done.value
                return
