"""The standard library of the running interpreter, which the corpus holds too, and how it is pinned."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path

STDLIB = "cpython"
LICENCE = "PSF-2.0"
_SKIPPED = {
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "encodings",
    "pydoc_data",
}
_WRITTEN_BY_THE_BUILD = ("config-", "_sysconfigdata")  # paths and flags of one machine


def stdlib_files() -> Iterator[tuple[str, bytes]]:
    """Python files by their path, without tests, what pip brought and what differs from build to build."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not (set(relative.parts) & _SKIPPED or relative.parts[0].startswith(_WRITTEN_BY_THE_BUILD)):
            yield relative.as_posix(), path.read_bytes()


def stdlib_version() -> str:
    """The version of the running interpreter."""
    return platform.python_version()


def tree_digest() -> str:
    """SHA-256 over the paths and contents of `stdlib_files`, in hexadecimal."""
    digest = hashlib.sha256()
    for path, content in stdlib_files():
        digest.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
