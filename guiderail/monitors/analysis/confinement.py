"""Keeps a program from starting others, by the Linux kernel's Landlock; the launcher uses it, so no imports of ours.

In a workspace that is not trusted an analyser must not run what the project brings (its ``.venv/bin/python``, say).
Those that do without may still work there, if the kernel can hold them to it.
"""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the system calls' numbers, the same on all architectures
EXECUTE = 1  # LANDLOCK_ACCESS_FS_EXECUTE
PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
NO_NEW_PRIVILEGES = 38  # prctl(2)
LOADERS = ("lib*/ld-*", "lib*/*/ld-*", "usr/lib*/ld-*", "usr/lib*/*/ld-*")  # the kernel starts a program through one


class _Rule(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def is_possible() -> bool:
    """Whether this system can keep a program from starting others."""
    if sys.platform != "linux":
        return False
    return ctypes.CDLL(None, use_errno=True).syscall(CREATE_RULESET, None, 0, 1) >= 1  # the version


def confine(program: str) -> None:
    """From now on let this process, and all that it becomes, execute nothing but `program`.

    Raises
    ------
    OSError
        The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handled = ctypes.c_uint64(EXECUTE)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    _check(ruleset)
    for path in (program, *(str(loader) for pattern in LOADERS for loader in Path("/").glob(pattern))):
        with contextlib.suppress(OSError):  # a loader that is a dangling link
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = _Rule(EXECUTE, opened)
            _check(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0))
            os.close(opened)
    _check(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check(libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
