"""The cache folders of data derived from models' files: laid-out weights, vocabularies.

They are in the user's cache: ``models/<hash of the model's files>/<hash of how it was made>/``. Each model's folder
names the files it was made from, and is deleted with them. Their total size is limited; the least recently used one is
deleted first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from guiderail import __version__, private, projectfile
from guiderail.model.file_hashes import hash_of
from guiderail.projectfile import ProjectFileError

VERSION = 1  # of how things are laid out here
LIMIT = 16 << 30  # bytes of all folders together
SHARE = 0.5  # of the disk's free space that may be taken at most
ABANDONED_S = 3600.0  # age of an unfinished file that nobody writes any more
ORIGIN = "made-from.json"
PART = ".part-"  # what the names of unfinished files begin with


def root() -> Path:
    """The folder that holds all derived folders."""
    import platformdirs

    return platformdirs.user_cache_path("guiderail") / "models"


def folder_of(files: Sequence[Path], how: Mapping[str, Any]) -> Path | None:
    """The folder of what is derived from `files` in a certain way; it may not exist yet.

    None where the files cannot be read: whoever loads them says so better.
    """
    try:
        content = hash_of(files, root() / "hashes.json")
    except OSError:
        return None
    said = json.dumps([VERSION, __version__, how], sort_keys=True, default=str)
    return root() / content / hashlib.sha256(said.encode()).hexdigest()


def prepare(folder: Path, files: Sequence[Path], size: int) -> bool:
    """Make a folder and room for `size` bytes; whether there is room."""
    with suppress(OSError):
        private.folder(root())
        size -= _size(folder)  # what of it is there is counted already, and written over
        _make_room(size, folder)
        if _size(root()) + size > min(LIMIT, shutil.disk_usage(root()).free * SHARE + _size(root())):
            return False
        private.folder(folder)
        named = [os.fspath(path) for one in files for path in dict.fromkeys((one.absolute(), one.resolve()))]
        private.write_text(folder.parent / ORIGIN, json.dumps(named) + "\n")
        return True
    return False


def used(folder: Path) -> None:
    """Note that a folder is in use now."""
    with suppress(OSError):
        os.utime(folder.parent)


def forget(place: Path) -> int:
    """Delete what was made from the file `place`, or from files below it; returns the bytes freed."""
    below = os.fspath(place.absolute()), os.fspath(place.resolve())
    return sum(_delete(one) for one in _folders() if any(_lies_in(path, below) for path in _origins(one)))


def size_of(files: Sequence[Path]) -> int:
    """Bytes of what was made from these files, as far as is known."""
    names = {os.fspath(path.resolve()) for path in files}
    return sum(_size(one) for one in _folders() if names & set(_origins(one)))


def _make_room(size: int, keep: Path) -> None:
    """Delete abandoned folders, and those used longest ago until `size` bytes more are within the limit."""
    folders = sorted(_folders(), key=_last_use)
    for one in folders:
        _sweep(one)
        if one != keep.parent and not any(map(os.path.exists, _origins(one))):
            _delete(one)
    taken = _size(root())
    # Other layouts of the same model go first: after an update nobody reads them any more.
    own = [one for one in keep.parent.glob("*") if one.is_dir() and one != keep]
    for one in (*own, *(one for one in folders if one != keep.parent)):
        if taken + size <= LIMIT:
            return
        taken -= _delete(one)


def _sweep(folder: Path) -> None:
    """Delete files that a process left unfinished."""
    for path in folder.rglob(PART + "*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink()


def _folders() -> Iterator[Path]:
    with suppress(OSError):
        yield from (one for one in root().iterdir() if one.is_dir() and not one.is_symlink())


def _origins(folder: Path) -> list[str]:
    try:
        named = projectfile.read_json(folder / ORIGIN)
    except ProjectFileError:
        return []
    return [one for one in named if isinstance(one, str)] if isinstance(named, list) else []


def _lies_in(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place + os.sep) for place in places)


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += path.lstat().st_size if path.is_file() else 0
    return found


def _delete(folder: Path) -> int:
    size = _size(folder)
    shutil.rmtree(folder, ignore_errors=True)  # what another process has mapped goes when it ends
    return size - _size(folder)
