"""Hashes of files, cached: hashing half a gigabyte takes a second at every start.

A hash is believed as long as the file is the same by its device, number, size and both of its times: whatever writes to
a file changes the second (``ctime``), which no program can set. A file that was changed just before it was hashed is
hashed anew the next time, since a second change within the clock's step would not show.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from guiderail import private, projectfile
from guiderail.projectfile import ProjectFileError

MOST = 256  # files that are remembered, the last ones
SETTLED_S = 2.0  # the coarsest clock of the common file systems


def hash_of(paths: Sequence[Path], memory: Path) -> str:
    """SHA-256 over the hashes of some files, in their order.

    Parameters
    ----------
    paths
        The files.
    memory
        The JSON file in which hashes are remembered; made if it is missing, and begun anew if it is damaged.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    known = _remembered(memory)
    hashes = [_hash(path.resolve(), known) for path in paths]
    if any(new for _, new in hashes):
        with suppress(OSError):
            private.write_text(memory, json.dumps(dict(list(known.items())[-MOST:])) + "\n")
    return hashlib.sha256(" ".join(digest for digest, _ in hashes).encode()).hexdigest()


def _remembered(memory: Path) -> dict[str, list[object]]:
    try:
        values = projectfile.read_json(memory)
    except ProjectFileError:
        return {}
    return {key: value for key, value in values.items() if isinstance(value, list)} if isinstance(values, dict) else {}


def _hash(path: Path, known: dict[str, list[object]]) -> tuple[str, bool]:
    """A file's hash, and whether it is to be remembered from now on."""
    state, now = _state(path), time.time_ns()
    found = known.get(os.fspath(path))
    if found is not None and found[:-1] == state and isinstance(found[-1], str):
        return found[-1], False
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    known.pop(os.fspath(path), None)
    settled = now - max(state[-2:]) > SETTLED_S * 1e9 and _state(path) == state
    if settled:
        known[os.fspath(path)] = [*state, digest]
    return digest, settled


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
