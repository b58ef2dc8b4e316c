"""Starts a program that dies with its parent; run as a script: ``launcher.py PARENT free|confined PROGRAM ARGUMENTS…``.

The program leads a process group of its own, so that what it starts can be ended with it, and on Linux the kernel
kills it when its parent dies, of whatever cause. A process's own ``preexec_fn`` could do the same, but runs between
fork and exec, where a process with threads (torch's) may hang. A confined program can start no other.
"""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, confined: bool, command: list[str]) -> None:
    """Become `command`; end at once if the parent is dead already."""
    os.setsid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
    if confined:
        sys.path.insert(0, str(Path(__file__).parent))  # this file runs outside the package
        import_module("confinement").confine(command[0])
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "confined", sys.argv[3:])
