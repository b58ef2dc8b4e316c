"""The memory of a server's processes."""

from __future__ import annotations

import contextlib
import os

import psutil


def group_mb(leader: int | None) -> float:
    """Resident memory of a process and all that it started, in 10^6 bytes; 0 where there is no such process.

    Parameters
    ----------
    leader
        Process id of the leader of a process group; what it started counts by the group, also when its parent is dead.
        Where there are no process groups (Windows), its descendants count.
    """
    if leader is None:
        return 0.0
    size = 0
    for member in _members(leader):
        with contextlib.suppress(psutil.Error):  # ended meanwhile
            size += psutil.Process(member).memory_info().rss
    return size / 1e6


def _members(leader: int) -> list[int]:
    if os.name == "posix":
        return [one for one in psutil.pids() if _group_of(one) == leader]
    with contextlib.suppress(psutil.Error):
        return [leader, *(child.pid for child in psutil.Process(leader).children(recursive=True))]
    return []


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except OSError:  # ended meanwhile, or not ours to ask
        return None
