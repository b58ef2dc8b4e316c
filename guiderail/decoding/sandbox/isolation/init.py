"""Process 1 of the sandbox: when it ends, the kernel kills every process in the sandbox.

It reaps children, and ends itself when the program ends, when time is up, when the requesting process is gone, and when
the sandbox as a whole exceeds a limit. A program cannot stop or kill it: the kernel keeps signals from process 1.

How precise the limits in sum are: the kernel itself counts processes, threads and written bytes. Memory (with swap),
processor time and sockets are polled every `TICK_S`. One process never has more memory than all together may have, but
within a tick several processes can take more. The processor time of children that a program had the kernel discard
(SIGCHLD ignored) is not counted; the wall-clock limit bounds it.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time

from guiderail.decoding.sandbox.isolation import filesystem, kernel
from guiderail.decoding.sandbox.isolation.program import Entry, Order, Streams, become

TICK_S = 0.01
SOCKETS = 128  # each holds memory that belongs to no process
PROC = "/proc"
PAGE = resource.getpagesize()
TICKS = os.sysconf("SC_CLK_TCK")


def run(
    order: Order, tree: list[Entry], owner: tuple[int, int], streams: Streams, lifeline: int, deadline: float
) -> str:
    """Run the program to its end.

    Parameters
    ----------
    tree
        What its folder holds, as `filesystem.unpack` takes it.
    owner
        The user and the group that it runs as.
    lifeline
        A pipe whose other end is closed when the process that asked is gone.
    deadline
        By `time.monotonic`.

    Returns
    -------
    How it ended: "exit CODE", or "stopped WHY".

    Raises
    ------
    RefusedError, OSError
        It cannot be run.
    """
    kernel.done(kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL), "set a death signal")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # with a handler, the program could send it
    filesystem.build(order.shown, size=order.disk, files=order.inodes, owner=owner)
    program = os.fork()
    if program == 0:
        _end_as_program(order, tree, owner, streams)
    kernel.prctl(kernel.SET_DUMPABLE, 0)
    del tree
    os.close(streams.output)
    os.close(streams.report)
    try:
        return _watch(program, order, lifeline, deadline)
    except (OSError, ValueError, MemoryError):  # what the program may bring about by bounds of its user, say
        return "stopped it could not be watched"


def _end_as_program(order: Order, tree: list[Entry], owner: tuple[int, int], streams: Streams) -> None:
    try:
        become(order, tree, owner, streams)
    except (kernel.RefusedError, OSError) as error:
        os.write(streams.status, f"refused {error}\n".encode())
    finally:
        os._exit(1)


def _watch(program: int, order: Order, lifeline: int, deadline: float) -> str:
    wakes = select.poll()
    wakes.register(lifeline, 0)  # hang-ups are told anyway
    wakes.register(os.pidfd_open(program), select.POLLIN)
    while True:
        told = [descriptor for descriptor, _ in wakes.poll(TICK_S * 1000)]
        if lifeline in told:
            return "stopped nobody waits for it"
        code = _reap(program)
        if code is not None:
            return f"exit {code if code >= 0 else 128 - code}"
        if time.monotonic() >= deadline:
            return "stopped time"
        excess = _excess(order)
        if excess:
            return f"stopped {excess}"


def _reap(program: int) -> int | None:
    """Reap what has ended; the program's exit code, negative for a signal, if it is among that."""
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if found == 0:
            return None
        if found == program:
            return os.waitstatus_to_exitcode(status)


def _excess(order: Order) -> str:
    """Which limit the sandbox exceeds; "" if none."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent, size, memory, processes = own.ru_utime + own.ru_stime, 0, 0, []
    for name in os.listdir(PROC):
        numbers = _numbers(name) if name.isdigit() and name != "1" else None
        if numbers:
            processes.append(name)
            spent += sum(numbers[11:15]) / TICKS
            size += numbers[20]
            memory += numbers[21] * PAGE
    if spent > order.seconds + 1:
        return "processor time"
    if size > order.memory and _is_too_much(processes, memory, order.memory):
        return "memory"
    return "sockets" if _sockets() > SOCKETS else ""


def _is_too_much(processes: list[str], memory: int, most: int) -> bool:
    """Whether processes that have `memory` bytes in it hold more than `most` bytes in all.

    Shared pages count once; that is slow to find out, and less than what is added up before.
    """
    swapped = sum(_told(f"{one}/status", b"VmSwap:") for one in processes)
    return memory + swapped > most and sum(map(_proportional, processes)) > most


def _numbers(process: str) -> list[int] | None:
    """The fields of a process's /proc/PID/stat after its name and state; None if it has ended."""
    try:
        with open(f"{PROC}/{process}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return [0, *map(int, fields[1:])]


def _proportional(process: str) -> int:
    """Bytes that a process holds in memory and swap, shared ones divided among those that share them."""
    return _told(f"{process}/smaps_rollup", b"Pss:", b"SwapPss:")


def _told(file: str, *names: bytes) -> int:
    """The sum of numbers of kilobytes in a file of /proc, in bytes; 0 if the process has ended."""
    try:
        with open(f"{PROC}/{file}", "rb") as opened:
            lines = opened.read().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(names))


def _sockets() -> int:
    with open(f"{PROC}/1/net/sockstat", "rb") as file:
        return int(file.readline().split()[2])
