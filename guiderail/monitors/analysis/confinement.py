"""Confines an analyser by the Linux kernel's Landlock. The launcher uses this module, so it imports nothing of
guiderail.

In a workspace that is not trusted an analyser must not run what the project brings (its ``.venv/bin/python``, say),
write where the project's configuration tells it to (clang's ``-serialize-diagnostics FILE``), or connect to the
network. Where the kernel can enforce that, it does.

Landlock cannot tell what a program's loader is asked to load: ``ld-linux.so /usr/bin/python3 evil.py`` is a start of
the loader, without which nothing starts. So a program that may start no other may make no process either (seccomp).
"""

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the system calls' numbers, the same on all architectures
EXECUTE, WRITE_FILE = 1 << 0, 1 << 1  # LANDLOCK_ACCESS_FS_…
CHANGE_FOLDER = 0b1_1111_1111_0000  # REMOVE_DIR and REMOVE_FILE to MAKE_SYM
REFER, TRUNCATE = 1 << 13, 1 << 14  # known from versions 2 and 3 on
TCP = 0b11  # LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP, from version 4 on
ABSTRACT_SOCKETS = 0b01  # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, from version 6 on; servers see by a signal if we live
PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
NO_NEW_PRIVILEGES = 38  # prctl(2)
LOADERS = ("lib*/ld-*", "lib*/*/ld-*", "usr/lib*/ld-*", "usr/lib*/*/ld-*")  # the kernel starts a program through one
SINKS = ("/dev/null", "/dev/zero", "/dev/full")

SET_SECCOMP, FILTER = 22, 2  # prctl(2)
# Of each architecture: its AUDIT_ARCH_* and the numbers of fork, vfork (where there are such) and clone.
MACHINES = {"x86_64": (0xC000003E, (57, 58), 56), "aarch64": (0xC00000B7, (), 220)}
CLONE3 = 435  # its flags are in memory, where a filter cannot look; libraries fall back to clone
THREAD = 0x10000  # CLONE_THREAD: no new process
X32 = 0x40000000  # other numbers of the same calls
LOAD, EQUAL, NOT_LESS, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of classic BPF
NUMBER, ARCHITECTURE, FLAGS = 0, 4, 16  # offsets in seccomp_data; the flags are the first argument
KILL, ALLOW, ERROR = 0x80000000, 0x7FFF0000, 0x00050000


class _Handled(ctypes.Structure):
    """struct landlock_ruleset_attr, of which older kernels know the beginning."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Instruction(ctypes.Structure):
    """struct sock_filter: code, jumps if true and if false (counted from the next one), value."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def is_possible(*, alone: bool = False) -> bool:
    """Whether this system can confine a program; `alone` as for `confine`."""
    return _version() >= 1 and (not alone or os.uname().machine in MACHINES)


def _version() -> int:
    if sys.platform != "linux":
        return 0
    return ctypes.CDLL(None, use_errno=True).syscall(CREATE_RULESET, None, 0, 1)


def confine(program: str, *, alone: bool, writable: Iterable[str]) -> None:
    """Restrict this process and its descendants from now on.

    Parameters
    ----------
    program
        What it is going to be.
    alone
        Whether it may execute nothing else, and make no further process.
    writable
        The folders that it may write in; nowhere else, and no TCP connections.

    Raises
    ------
    OSError
        The kernel refuses.
    """
    version = _version()
    writing = WRITE_FILE | CHANGE_FOLDER | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    network = TCP if version >= 4 else 0
    scoped = ABSTRACT_SOCKETS if version >= 6 else 0
    handled = _Handled(writing | (EXECUTE if alone else 0), network, scoped)
    size = 8 * (3 if version >= 6 else 2 if version >= 4 else 1)
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(handled), size, 0)
    _check(ruleset)
    loaders = (str(loader) for pattern in LOADERS for loader in Path("/").glob(pattern))
    rules = [(path, EXECUTE) for path in (program, *loaders)] if alone else []
    for path, allowed in (*rules, *((path, writing) for path in (*writable, *SINKS))):
        _allow(libc, ruleset, path, allowed)
    _check(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
    if alone:
        _forbid_processes(libc)


def _forbid_processes(libc: ctypes.CDLL) -> None:
    """Forbid this process and its descendants to start processes (threads are allowed); no_new_privs must be set."""
    architecture, forks, clone = MACHINES[os.uname().machine]
    refused, missing = (RETURN, 0, 0, ERROR | errno.EPERM), (RETURN, 0, 0, ERROR | errno.ENOSYS)
    found = [(LOAD, 0, 0, ARCHITECTURE), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    found += [(NOT_LESS, 0, 1, X32), missing, (EQUAL, 0, 1, CLONE3), missing]
    for number in forks:
        found += [(EQUAL, 0, 1, number), refused]
    found += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, FLAGS), (ANY_BIT, 1, 0, THREAD), refused, (RETURN, 0, 0, ALLOW)]
    array = (_Instruction * len(found))(*(_Instruction(*one) for one in found))
    program = _Filter(len(found), ctypes.cast(array, ctypes.POINTER(_Instruction)))
    _check(libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0))


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, allowed: int) -> None:
    with contextlib.suppress(FileNotFoundError):  # a loader that is a dangling link
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            allowed &= EXECUTE | WRITE_FILE | TRUNCATE  # what can be done to a file
        _check(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(_Rule(allowed, opened)), 0))
        os.close(opened)


def _check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
