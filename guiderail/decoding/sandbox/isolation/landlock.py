"""Landlock: a second barrier around the visible files, in case a program escapes from the mount namespace.

On a kernel without it, or with its first version, which forbids moving files between folders, the mount namespace is
the only barrier.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from guiderail.decoding.sandbox.isolation import kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION, BENEATH = 1, 1
EXECUTE, WRITE, READ, READ_FOLDER = 1, 2, 4, 8
REFER, TRUNCATE, DEVICES = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1  # the rights of version 1
NETWORK = 3  # bind and connect by TCP, from version 4
SCOPES = 3  # abstract sockets and signals of others, from version 6


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scopes")]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def restrict(writable: Iterable[str], devices: Iterable[str]) -> None:
    """Restrict this process and its descendants: read below the root, write below `writable` only.

    The process must have no new privileges. Where the kernel has no use for this, nothing happens.
    """
    version = kernel.syscall(CREATE_RULESET, 0, 0, VERSION)
    if version < 2:
        return
    rights = FIRST | REFER | (TRUNCATE if version >= 3 else 0) | (DEVICES if version >= 5 else 0)
    wanted = _Ruleset(rights, NETWORK if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = ctypes.sizeof(wanted) if version >= 6 else 16 if version >= 4 else 8
    ruleset = kernel.done(kernel.syscall(CREATE_RULESET, wanted, size, 0), "make a Landlock ruleset")
    _allow(ruleset, "/", EXECUTE | READ | READ_FOLDER)
    for folder in writable:
        _allow(ruleset, folder, rights)
    for device in devices:
        _allow(ruleset, device, (READ | WRITE | TRUNCATE) & rights)
    kernel.done(kernel.syscall(RESTRICT_SELF, ruleset, 0), "restrict files by Landlock")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _Beneath(rights, folder)
    kernel.done(kernel.syscall(ADD_RULE, ruleset, BENEATH, rule, 0), f"allow {path} by Landlock")
    os.close(folder)
