"""Linux system calls that the standard library lacks."""

from __future__ import annotations

import ctypes
import os

NEWNS, NEWCGROUP, NEWUTS = 0x00020000, 0x02000000, 0x04000000
NEWIPC, NEWUSER, NEWPID, NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
DETACH = 2
ATTR_READ_ONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
MOUNT_SETATTR = 442
RECURSIVE, CURRENT_FOLDER = 0x8000, -100
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, DROP_BOUND, NO_NEW_PRIVILEGES, AMBIENT = 1, 4, 22, 24, 38, 47
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
OLDEST = (5, 14)  # before, processes were not counted by user namespace
MACHINE = os.uname().machine


class RefusedError(Exception):
    """The kernel does not offer what the sandbox needs."""


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


_c = ctypes.CDLL(None, use_errno=True)
_c.syscall.restype = ctypes.c_long


def check_version() -> None:
    """Raise RefusedError where the kernel or the processor is one that the sandbox was not made for."""
    release = os.uname().release
    numbers = release.split("-")[0].split(".")
    if tuple(int(n) for n in numbers[:2] if n.isdigit()) < OLDEST:
        raise RefusedError(f"Linux {release} is older than {OLDEST[0]}.{OLDEST[1]}")
    if MACHINE not in PIVOT_ROOT:
        raise RefusedError(f"there is no filter of system calls for {MACHINE}")


def done(result: int, what: str) -> int:
    """The result of a call; raises RefusedError with `what` was tried if it failed."""
    if result < 0:
        raise RefusedError(f"the kernel refused to {what}: {os.strerror(ctypes.get_errno())}")
    return result


def syscall(number: int, *arguments: int | bytes | ctypes.Structure) -> int:
    """A system call by its number; structures are passed by their address."""
    made = [
        ctypes.byref(one) if isinstance(one, ctypes.Structure) else ctypes.c_long(one) if isinstance(one, int) else one
        for one in arguments
    ]
    return _c.syscall(ctypes.c_long(number), *made)


def unshare(flags: int) -> None:
    """Leave namespaces."""
    done(_c.unshare(flags), "make namespaces")


def prctl(option: int, *arguments: int | ctypes.Structure) -> int:
    """The call of this name; the result is not looked at."""
    made = [ctypes.byref(one) if isinstance(one, ctypes.Structure) else ctypes.c_ulong(one) for one in arguments]
    return _c.prctl(option, *made, *([ctypes.c_ulong(0)] * (4 - len(made))))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or with BIND a part of one."""
    parts = [text.encode() or None for text in (source, target, kind)]
    done(_c.mount(*parts, ctypes.c_ulong(flags), options.encode() or None), f"mount {kind or source} on {target}")


def set_mount(target: str, *, on: int = 0, off: int = 0, recursive: bool = False) -> None:
    """Change the attributes of a mount."""
    wanted = _MountAttributes(on, off, 0, 0)
    flags = RECURSIVE if recursive else 0
    size = ctypes.sizeof(wanted)
    done(syscall(MOUNT_SETATTR, CURRENT_FOLDER, target.encode(), flags, wanted, size), f"set attributes of {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and the old root a mount at `old`."""
    done(syscall(PIVOT_ROOT[MACHINE], new.encode(), old.encode()), "change the root")


def detach(target: str) -> None:
    """Detach a mount, with everything below it."""
    done(_c.umount2(target.encode(), DETACH), f"unmount {target}")


def drop_bound() -> None:
    """Give up the capabilities that a program could get back by exec."""
    number = 0
    while prctl(DROP_BOUND, number) == 0:
        number += 1


def drop_capabilities() -> None:
    """Give up every capability that this process has."""
    prctl(AMBIENT, 4)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    done(_c.capset(header, (ctypes.c_uint32 * 6)()), "drop capabilities")
