"""Starts a program that dies with its parent; run as a script: ``launcher.py PARENT LIMITS PROGRAM ARGUMENTS…``.

The program leads a process group of its own, so that what it starts can be ended with it, and on Linux the kernel
kills it when its parent dies, of whatever cause. A process's own ``preexec_fn`` could do the same, but runs between
fork and exec, where a process with threads (torch's) may hang. The limits are what `confinement.confine` takes, as
JSON, or null.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, limits: dict | None, command: list[str]) -> None:
    """Become `command`; end at once if the parent is dead already."""
    os.setsid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
    if limits is not None:
        sys.path.insert(0, str(Path(__file__).parent))  # this file runs outside the package
        import_module("confinement").confine(command[0], **limits)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
