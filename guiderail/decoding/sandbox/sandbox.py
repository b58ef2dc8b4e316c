"""A sandbox for untrusted programs: all they can do is use up a bounded amount of time, memory and files.

A program runs in namespaces of its own (`isolation`): it sees the interpreter, the installed packages, the system's
libraries and its own copy of a project, in memory, and can write to that copy alone, which vanishes with the run. It
has no privileges, no sockets with an address, and a filter of system calls. Its output comes through pipes, of which a
bounded part is kept.

Limits: wall-clock time is enforced twice, by process 1 of the sandbox and from outside. Memory, processor time,
processes and written files are limited in sum (`isolation.init` says how precisely). Written files stay in memory and
come on top of the memory limit. So does kernel memory (pipes, page tables), which the numbers of processes and open
files limit.

If the kernel refuses any of this, nothing is run.
"""

from __future__ import annotations

import contextlib
import functools
import marshal
import os
import selectors
import site
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import finalize

from guiderail.decoding.sandbox.isolation.filesystem import FOLDER
from guiderail.decoding.sandbox.isolation.program import REPORT, Order
from guiderail.decoding.sandbox.project_tree import Entry

__all__ = ["FOLDER", "REPORT", "Outcome", "Tree", "run"]

OUTPUT = 1 << 20  # bytes of output that are kept
REPORTED = 1 << 16  # of a report
STATUS = 1 << 12
GRACE_S = 5.0  # for the start and the end of the sandbox
PROCESSES = 64  # and threads
DISK = 128 << 20  # bytes that can be written beside the tree
INODES = 20_000  # files and folders beside the tree
PACKAGES = Path(__file__).parents[3]
ENTER = """
import sys
sys.path.append(sys.argv[1])
from guiderail.decoding.sandbox.isolation.namespaces import main
main(*map(int, sys.argv[2:]))
"""
# Of a prefix. Programs and libraries alone: some keep other things below /usr or below their home.
SHOWN = ("bin", "lib", "lib64", "pyvenv.cfg", "share/zoneinfo")
SYSTEM = ("/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
STORES = ("/nix/store", "/gnu/store")  # where systems without /usr/lib keep all programs and libraries
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # threads count as processes


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of running a program.

    Parameters
    ----------
    code
        Its exit code; None if it was stopped.
    output
        What it said, both streams.
    report
        What it wrote to the descriptor `REPORT`.
    refused
        Why it was not run at all; "" if it was.
    stopped
        What it used too much of; "" if it ended by itself.
    """

    code: int | None
    output: str
    report: bytes = b""
    refused: str = ""
    stopped: str = ""


class Tree:
    """The initial contents of a program's folder.

    Parameters
    ----------
    entries
        As `project_tree.read_tree` returns them.
    """

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.size = sum(len(content) for _, _, content in entries if content is not None)
        self.count = len(entries)
        self.file = -1
        if sys.platform == "linux":
            self.file = _in_memory(marshal.dumps(list(entries)))
            finalize(self, os.close, self.file)


def run(
    command: Sequence[str],
    tree: Tree,
    *,
    seconds: float,
    megabytes: int,
    files: Mapping[str, bytes] | None = None,
) -> Outcome:
    """Run a program in a temporary copy of a tree, its working directory.

    Parameters
    ----------
    command
        The program and its arguments.
    tree
        What the folder holds.
    seconds
        How long it may take, and how much processor time it and all that it starts may use.
    megabytes
        Memory of all its processes, and address space of each.
    files
        What files of the tree hold instead, by path.
    """
    if sys.platform != "linux":
        return Outcome(None, "", refused="there are no namespaces on this system")
    order = Order(
        command=list(command),
        environment=_environment(),
        shown=_shown(),
        files=dict(files or {}),
        seconds=seconds,
        memory=megabytes << 20,
        processes=PROCESSES,
        disk=tree.size + sum(map(len, (files or {}).values())) + DISK,
        inodes=tree.count + INODES,
    )
    with contextlib.ExitStack() as opened:
        ordered = _in_memory(marshal.dumps(vars(order)))
        opened.callback(os.close, ordered)
        return _watched(opened, ordered, tree.file, seconds + GRACE_S)


def _watched(opened: contextlib.ExitStack, order: int, tree: int, seconds: float) -> Outcome:
    """Run an order and read its pipes until all are closed, which means that every process in the sandbox has ended."""
    (output, says), (report, reports), (status, tells), (lifeline, held) = (os.pipe() for _ in range(4))
    inside = (order, tree, says, reports, tells, lifeline)
    for descriptor in (output, report, status, held):
        opened.callback(os.close, descriptor)
    try:
        process = _start(inside, says)
    finally:
        for descriptor in (says, reports, tells, lifeline):
            os.close(descriptor)
    try:
        kept = _Kept({output: OUTPUT, report: REPORTED, status: STATUS})
        is_late = not kept.read(time.monotonic() + seconds)
        if is_late:
            process.kill()  # process 1 dies with its parent by the kernel's hand, and all others with process 1
            kept.read(time.monotonic() + GRACE_S)
    finally:
        process.kill()
        process.wait()
    return _outcome(bytes(kept[output]), bytes(kept[report]), bytes(kept[status]), is_late=is_late)


def _start(inside: Sequence[int], says: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", ENTER, str(PACKAGES), *map(str, inside)],
        stdin=subprocess.DEVNULL,
        stdout=says,
        stderr=says,
        env={"PATH": os.defpath},
        cwd="/",
        pass_fds=inside,
        start_new_session=True,
    )


def _outcome(output: bytes, report: bytes, status: bytes, *, is_late: bool) -> Outcome:
    """The outcome that the first line of the status states."""
    said = output.decode(errors="replace")
    word, _, rest = status.decode(errors="replace").partition("\n")[0].partition(" ")
    if word == "exit":
        return Outcome(int(rest), said, report)
    if word == "stopped" or is_late:
        return Outcome(None, said, report, stopped=rest or "time")
    # Without a word the way in itself failed.
    why = rest or (said.strip().splitlines() or ["it did not start"])[-1]
    return Outcome(None, "", refused=why)


class _Kept(dict[int, bytearray]):
    """The first bytes from each pipe; the rest is read and discarded.

    Parameters
    ----------
    most
        The pipes, and bytes that are kept of each.
    """

    def __init__(self, most: Mapping[int, int]) -> None:
        super().__init__((pipe, bytearray()) for pipe in most)
        self._most = most
        self._open = set(most)

    def read(self, until: float) -> bool:
        """Read until all are closed; whether they closed in time."""
        with selectors.DefaultSelector() as waiting:
            for pipe in self._open:
                waiting.register(pipe, selectors.EVENT_READ)
            while self._open and time.monotonic() < until:
                for key, _ in waiting.select(max(0.0, until - time.monotonic())):
                    if not self._take(key.fd):
                        waiting.unregister(key.fd)
                        self._open.discard(key.fd)
        return not self._open

    def _take(self, pipe: int) -> bool:
        data = os.read(pipe, 1 << 16)
        kept = self[pipe]
        kept += data[: self._most[pipe] - len(kept)]
        return bool(data)


def _in_memory(content: bytes) -> int:
    """A descriptor of an unnamed file in memory; exec closes it."""
    descriptor = os.memfd_create("guiderail", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def _environment() -> dict[str, str]:
    """A program's environment variables, of which none are the user's."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "HOME": FOLDER,
        "TMPDIR": "/tmp",
        "LOGNAME": "guiderail",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(ONE_THREAD, "1"),
    }


@functools.cache
def _shown() -> list[str]:
    """What a program can read: the interpreter, the installed packages, and the system's programs and libraries."""
    prefixes = dict.fromkeys(("/usr", "/usr/local", sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix))
    found = [f"{prefix}/{name}" for prefix in prefixes for name in SHOWN]
    packages = [*site.getsitepackages(), *sysconfig.get_paths().values()]
    return [*SYSTEM, *found, *(path for path in packages if _is_packages(path)), sys.executable, *STORES]


def _is_packages(path: str) -> bool:
    return Path(path).name in {"site-packages", "dist-packages"}
