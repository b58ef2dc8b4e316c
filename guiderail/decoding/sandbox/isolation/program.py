"""The last step before a program runs: fills its folder, sets its limits, and drops all privileges."""

from __future__ import annotations

import gc
import os
import resource
import signal
from collections.abc import Iterable

from guiderail.decoding.sandbox.isolation import filesystem, kernel, landlock, syscalls

REPORT = 3  # the descriptor of the report
FILES = 256  # open at once in a process
QUEUED = 1024  # signals that wait


Entry = tuple[str, int, bytes | str | None]  # of a tree, as `filesystem.unpack` takes it


class Order:
    """What to run, and its limits.

    Parameters
    ----------
    command, environment
        The program.
    shown
        What the view shows.
    files
        What files of the tree hold instead, by path.
    seconds
        Of the clock, and of all processors together.
    memory
        Bytes: of each process's address space, and of all processes' memory together.
    processes
        And threads, at once.
    disk, inodes
        Bytes, and files and folders, that can be written; those of the tree are among them.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        shown: list[str],
        files: dict[str, bytes],
        seconds: float,
        memory: int,
        processes: int,
        disk: int,
        inodes: int,
    ) -> None:
        self.command, self.environment, self.shown, self.files = command, environment, shown, files
        self.seconds, self.memory, self.processes = seconds, memory, processes
        self.disk, self.inodes = disk, inodes


class Streams:
    """The program's descriptors, and the status pipe for errors before exec, which exec closes."""

    def __init__(self, output: int, report: int, status: int) -> None:
        self.output, self.report, self.status = output, report, status


def become(order: Order, tree: Iterable[Entry], owner: tuple[int, int], streams: Streams) -> None:
    """Replace this process by the program (exec); returns only by raising RefusedError or OSError."""
    os.setsid()  # no terminal
    _keep(streams)
    _give_up(owner)
    os.chdir(filesystem.FOLDER)
    filesystem.unpack((path, mode, order.files.get(path, content)) for path, mode, content in tree)
    landlock.restrict(filesystem.WRITABLE, [device for device in filesystem.DEVICES if os.path.exists(device)])
    gc.disable()
    _bound(order)
    syscalls.restrict()
    os.execvpe(order.command[0], order.command, order.environment)


def _keep(streams: Streams) -> None:
    """Close everything but an empty input, the output, the report and, until exec, the status pipe."""
    for signal_ in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that is inherited
        signal.signal(signal_, signal.SIG_DFL)
    nothing = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((nothing, 0), (streams.output, 1), (streams.output, 2), (streams.report, REPORT)):
        os.dup2(source, target)
    os.closerange(REPORT + 1, streams.status)
    os.closerange(streams.status + 1, 1 << 16)


def _give_up(owner: tuple[int, int]) -> None:
    """Drop all privileges; the user changes only if this one is root."""
    kernel.done(kernel.prctl(kernel.NO_NEW_PRIVILEGES, 1), "give up new privileges")
    kernel.drop_bound()
    user, group = owner
    if user != os.geteuid():
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    kernel.drop_capabilities()


def _bound(order: Order) -> None:
    whole = int(order.seconds) + 1
    for what, most in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, order.memory),
        (resource.RLIMIT_FSIZE, order.disk),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_NPROC, order.processes),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, QUEUED),
        (resource.RLIMIT_MEMLOCK, 1 << 16),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
