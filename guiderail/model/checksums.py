"""Whether a model's files are still what they were when they were published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SUMS = "SHA256SUMS"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing a folder's files with their digests.

    Parameters
    ----------
    same, broken
        Names of the files that are as they should be, and of those that are damaged or missing.
    unread
        Names of those left out because they are too large together.
    """

    same: tuple[str, ...]
    broken: tuple[str, ...]
    unread: tuple[str, ...]


def digests(folder: Path) -> dict[str, str]:
    """The digest that each file must have, by name: from the folder's own list, else from the hub's cache.

    The hub's client keeps contents in files that are called by their digest, and links to them: the SHA-256 of large
    files, git's own of small ones. Files that neither names are left out.
    """
    sums = folder / SUMS
    if sums.is_file():
        return dict(_listed(sums.read_text(encoding="utf-8", errors="replace")))
    return dict(sorted(_linked(folder)))


def _listed(sums: str) -> Iterator[tuple[str, str]]:
    """The lines of ``sha256sum``."""
    for line in sums.splitlines():
        digest, _, name = line.partition("  ")
        if name:
            yield name, digest


def _linked(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_symlink():
            name = path.readlink().name
            if _SHA256.fullmatch(name) or _GIT.fullmatch(name):
                yield path.relative_to(folder).as_posix(), name


def compare(folder: Path, wanted: Mapping[str, str], limit: float) -> Comparison:
    """Compare files with their digests, the smallest first, until `limit` bytes would be passed."""
    same, broken, unread, left = [], [], [], limit
    for name in sorted(wanted, key=lambda name: (_size(folder / name), name)):
        left -= _size(folder / name)
        if left < 0:
            unread.append(name)
        else:
            (same if _is_right(folder / name, wanted[name]) else broken).append(name)
    return Comparison(tuple(same), tuple(broken), tuple(unread))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _is_right(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        if not _GIT.fullmatch(digest):
            return hashlib.file_digest(stream, "sha256").hexdigest() == digest
        found = hashlib.sha1(f"blob {_size(path)}\0".encode(), usedforsecurity=False)
        while piece := stream.read(1 << 20):
            found.update(piece)
    return found.hexdigest() == digest
