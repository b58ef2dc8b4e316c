"""Running a program that nobody has read: bounded in time and memory, without network, unable to write elsewhere.

Run as a script this module is the jail's door: it needs nothing but the standard library. The program's process gets a
network, a process table and a view of the file system of its own (Linux namespaces, which need no privileges): there is
no network, all that it starts dies with it, and only its own folder can be written. Where the kernel refuses any of
that, nothing is run.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NEWNS, NEWUSER, NEWPID, NEWNET, NEWIPC = 0x00020000, 0x10000000, 0x20000000, 0x40000000, 0x08000000
BIND, REC, PRIVATE = 0x1000, 0x4000, 0x40000
MOUNT_SETATTR, CURRENT_FOLDER, RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
KILL_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG
REFUSED = 113  # exit code of the door
LARGEST_FILE = 64 << 20
OUTPUT = 1 << 20  # bytes of output that are kept
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended.

    Parameters
    ----------
    code
        Its exit code; None if it was stopped for taking too long.
    output
        What it said, both streams.
    refused
        Why it was not run at all; "" if it was.
    """

    code: int | None
    output: str
    refused: str = ""


def run(command: Sequence[str], folder: Path, *, seconds: float, megabytes: int) -> Outcome:
    """Run a program inside `folder`, the only place that it may write to.

    Parameters
    ----------
    command
        The program and its arguments.
    folder
        Its working directory.
    seconds
        How long it may take, and how much processor time each of its processes may use.
    megabytes
        Address space of each of its processes.
    """
    if sys.platform != "linux":
        return Outcome(None, "", "there are no namespaces on this system")
    door = [sys.executable, "-I", __file__, str(folder), str(int(seconds) + 1), str(megabytes), *command]
    environment = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / ".output").open("w+b") as output:
        process = subprocess.Popen(
            door, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(GRACE_S)
        output.seek(0)
        said = output.read(OUTPUT).decode(errors="replace")
    return Outcome(None, "", said.strip()) if code == REFUSED else Outcome(code, said)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _enter(folder: str, seconds: int, megabytes: int, command: list[str]) -> None:
    """Shut the door behind this process, and become the program."""
    kernel = ctypes.CDLL(None, use_errno=True)
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    _try(kernel.unshare(NEWUSER | NEWNS | NEWPID | NEWNET | NEWIPC), "unshare")
    _try(kernel.mount(None, b"/", None, REC | PRIVATE, None), "make mounts private")
    _try(kernel.mount(folder.encode(), folder.encode(), None, BIND | REC, None), "bind the folder")
    _set(kernel, b"/", set_to=READ_ONLY)
    _set(kernel, folder.encode(), clear=READ_ONLY)
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    kernel.prctl(KILL_WITH_PARENT, signal.SIGKILL)
    os.chdir(folder)
    os.execvp(command[0], command)


def _set(kernel: ctypes.CDLL, place: bytes, set_to: int = 0, clear: int = 0) -> None:
    wanted = _MountAttributes(set_to, clear, 0, 0)
    size = ctypes.sizeof(wanted)
    done = kernel.syscall(MOUNT_SETATTR, CURRENT_FOLDER, place, RECURSIVE, ctypes.byref(wanted), size)
    _try(done, "make the file system read-only")


def _try(code: int, what: str) -> None:
    if code:
        print(f"the kernel refused to {what}: {os.strerror(ctypes.get_errno())}")
        sys.stdout.flush()
        os._exit(REFUSED)


if __name__ == "__main__":
    _enter(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
