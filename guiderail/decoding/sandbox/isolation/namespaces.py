"""Enters the sandbox: a process that leaves the host's namespaces, and waits for process 1 of the new ones."""

from __future__ import annotations

import fcntl
import marshal
import mmap
import os
import time

from guiderail.decoding.sandbox.isolation import init, kernel
from guiderail.decoding.sandbox.isolation.program import Order, Streams

TYPE_CHECKING = False  # typing's own would have typing imported, which takes long
if TYPE_CHECKING:
    from typing import Any

NOBODY = 65534  # what root becomes
LOW = 10  # below are the program's descriptors
NAMESPACES = (
    kernel.NEWUSER | kernel.NEWNS | kernel.NEWPID | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS | kernel.NEWCGROUP
)


def main(*descriptors: int) -> None:
    """Run an order, report its end on the status pipe, and exit.

    Parameters
    ----------
    descriptors
        The order and the tree (read from the start, in the format of `marshal`), the pipes of the output, the report
        and the status, and the lifeline.
    """
    os.umask(0o022)
    order_file, tree_file, output, report, status, lifeline = map(_moved, descriptors)
    try:
        _enter(order_file, tree_file, Streams(output, report, status), lifeline)
    except (kernel.RefusedError, OSError) as error:
        os.write(status, f"refused {error}\n".encode())
    os._exit(0)


def _moved(descriptor: int) -> int:
    """The same file under a number that a program is never given, closed by exec."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LOW)
    os.close(descriptor)
    return moved


def _enter(order_file: int, tree_file: int, streams: Streams, lifeline: int) -> None:
    kernel.check_version()
    order = Order(**_read(order_file))
    deadline = time.monotonic() + order.seconds
    _write("oom_score_adj", "1000")  # if the machine runs out of memory, this goes first, and all that is started here
    owner = _leave()
    first = os.fork()
    if first == 0:
        ended = "refused its first process failed"
        try:
            ended = init.run(order, _read(tree_file), owner, streams, lifeline, deadline)
        except (kernel.RefusedError, OSError) as error:
            ended = f"refused {error}"
        finally:
            # Whatever happened, process 1 ends, and all that is in there with it.
            os.write(streams.status, f"{ended}\n".encode())
            os._exit(0)
    for descriptor in (streams.output, streams.report, streams.status):
        os.close(descriptor)
    os.waitpid(first, 0)
    os._exit(0)


def _read(descriptor: int) -> Any:
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        return marshal.loads(content)


def _leave() -> tuple[int, int]:
    """Leave the host's namespaces; the user and the group that a program is to have in the new ones.

    An ordinary user stays who it is. Root becomes nobody: the kernel does not count root's processes.
    """
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        kernel.unshare(NAMESPACES)
        _write("setgroups", "deny")
        _write("uid_map", f"{user} {user} 1")
        _write("gid_map", f"{group} {group} 1")
        return user, group
    read, write = os.pipe()
    helper = os.fork()
    if helper == 0:  # stays outside, where the right to map other users is
        os.close(write)
        os._exit(0 if os.read(read, 1) and _map_for(os.getppid()) else 1)
    kernel.unshare(NAMESPACES)
    os.write(write, b".")
    if os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) != 0:
        raise kernel.RefusedError(f"root cannot become another user here ({NOBODY})")
    os.close(read)
    os.close(write)
    os.setresgid(0, 0, 0)
    return NOBODY, NOBODY


def _map_for(process: int) -> bool:
    try:
        for name in ("uid_map", "gid_map"):
            _write(name, f"0 0 1\n{NOBODY} {NOBODY} 1\n", process)
    except kernel.RefusedError:
        return False
    return True


def _write(name: str, text: str, process: int | str = "self") -> None:
    try:
        with open(f"/proc/{process}/{name}", "w") as file:
            file.write(text)
    except OSError as error:
        raise kernel.RefusedError(f"the kernel refused to write {name}: {error.strerror}") from error
