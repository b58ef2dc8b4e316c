"""Starts a program that dies with its parent; run as a script: ``launcher.py PARENT MEMORY LIMITS PROGRAM ARGUMENTS…``.

The program leads a process group of its own, so that its children can be killed with it. On Linux the kernel kills it
when its parent dies for whatever reason. A process's own ``preexec_fn`` could do the same, but runs between fork and
exec, where a process with threads (torch's) may hang. MEMORY is how many megabytes each of its processes may hold, 0
for any; the limits are what `confinement.confine` takes, as JSON, or null.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, memory_mb: int, limits: dict | None, command: list[str]) -> None:
    """Become `command`; end at once if the parent is dead already."""
    os.setsid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
    if memory_mb:
        bound(memory_mb * 1_000_000)
    if limits is not None:
        sys.path.insert(0, str(Path(__file__).parent))  # this file runs outside the package
        import_module("confinement").confine(command[0], **limits)
    os.execvp(command[0], command)


def bound(size: int) -> None:
    """Limit what this process, and each that it starts, holds: reading /dev/zero takes gigabytes in a second."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4:])
