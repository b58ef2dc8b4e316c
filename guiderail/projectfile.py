"""Reads the files that a project brings: regular files inside it alone, of bounded size and depth.

Whoever wrote a repository chose what its ``pyproject.toml`` is: a FIFO that is never written to, a device, a link to
``~/.ssh/id_rsa``, ten gigabytes, or brackets nested a million deep. Everything that reads a file because a workspace
contains it goes through here, so that none of these can block, exhaust or leak.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail import allowance
from guiderail.errors import GuiderailError

if TYPE_CHECKING:
    from configparser import ConfigParser

SIZE_LIMIT = 1 << 20  # bytes of a configuration file
TOML_LIMIT = 1 << 18  # bytes: parsing a megabyte takes a second
DEPTH_LIMIT = 100  # nested tables and arrays
ENTRY_LIMIT = 10_000  # of a folder
# Of an INI file: configparser takes quadratic time for a line of blanks, and for the list of the lines that it minds.
INI_LIMIT = 1 << 17
INI_LINE = 500  # characters
INI_LINES = 5_000
_REASON = 200  # characters of what a parser says, which may repeat a whole key


class ProjectFileError(GuiderailError):
    """A file of the project cannot be used; the message names it and says why."""


class SpentError(ProjectFileError):
    """What was read of the project before took too long (`guiderail.allowance`)."""


def read_bytes(path: Path, root: Path | None = None, *, limit: int = SIZE_LIMIT) -> bytes | None:
    """The content of a file; None where there is none.

    Parameters
    ----------
    path
        The file.
    root
        The folder that it must lie in once links are followed; None allows any place.
    limit
        The most bytes that it may have.

    Raises
    ------
    ProjectFileError
        It is no regular file, leads out of the root, is larger than `limit` or may not be read.
    """
    check_allowance(path)
    try:
        real = Path(os.path.realpath(path, strict=True))
        if root is not None and not real.is_relative_to(os.path.realpath(root)):
            raise ProjectFileError(f"{path} leads out of {root}", "Put the file itself into the project")
        # NONBLOCK: opening a FIFO would wait for a writer. NOFOLLOW: the last name is no link any more.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOCTTY", 0)
        if not stat.S_ISREG(real.lstat().st_mode):
            raise ProjectFileError(f"{path} is not a regular file", "Put a file there, or nothing")
        with os.fdopen(os.open(real, flags | getattr(os, "O_BINARY", 0)), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ProjectFileError(f"{path} is not a regular file", "Put a file there, or nothing")
            if root is not None and not _opened(stream.fileno(), real).is_relative_to(os.path.realpath(root)):
                raise ProjectFileError(f"{path} leads out of {root}", "Put the file itself into the project")
            content = stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = "its links lead in a circle" if error.errno == errno.ELOOP else error.strerror
        raise ProjectFileError(f"cannot read {path}: {reason}", "Check its permissions") from error
    except ValueError as error:  # a null character in the name
        raise ProjectFileError(f"cannot read {str(path)!r}: {error}", "Give it another name") from error
    if len(content) > limit:
        raise ProjectFileError(f"{path} is larger than {limit} bytes", "Make it smaller")
    return content


def overwrite(path: Path, root: Path, before: bytes, after: bytes) -> None:
    """Replace a file as a whole, through no link: whatever happens, it holds the one content or the other.

    Parameters
    ----------
    path, root
        As for `read_bytes`.
    before
        What the file must hold until then.
    after
        What it is to hold; owner and permissions stay.

    Raises
    ------
    ProjectFileError
        It holds something else, is no regular file, is a link or lies outside the root by now, or cannot be written.
    """
    try:
        with _folder(path.parent, root) as folder:
            place = path.name if folder is not None else path
            status = _check_holds(path, place, folder, before)
            written = f"{place}.{secrets.token_hex(8)}.guiderail"
            try:
                _create(written, folder, after, status)
                os.replace(written, place, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(written, dir_fd=folder)
                raise
    except OSError as error:
        raise ProjectFileError(f"cannot write {path}: {error.strerror}", "Check what it is") from error


@contextlib.contextmanager
def _folder(path: Path, root: Path) -> Iterator[int | None]:
    """An open folder inside the root, so that no link can take its place; None where folders cannot be opened."""
    if not {os.open, os.rename, os.unlink} <= os.supports_dir_fd:
        yield None
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not _opened(folder, Path(os.path.realpath(path))).is_relative_to(os.path.realpath(root)):
            raise ProjectFileError(f"{path} leads out of {root}", "Edit it by hand")
        yield folder
    finally:
        os.close(folder)


def _check_holds(path: Path, place: str | Path, folder: int | None, content: bytes) -> os.stat_result:
    """The status of a file that holds this; raises ProjectFileError, and OSError where it is a link or read-only."""
    flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOCTTY", 0)
    descriptor = os.open(place, flags | getattr(os, "O_BINARY", 0), dir_fd=folder)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or stream.read(len(content) + 1) != content:
            raise ProjectFileError(f"{path} has changed meanwhile", "Run it again, or edit by hand")
    return status


def _create(name: str, folder: int | None, content: bytes, like: os.stat_result) -> None:
    """Write a new file with the owner and permissions of another one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as stream:
        stream.write(content)
        stream.flush()
        if hasattr(os, "fchown"):
            status = os.fstat(stream.fileno())
            if (status.st_uid, status.st_gid) != (like.st_uid, like.st_gid):
                with contextlib.suppress(PermissionError):  # only root may give a file away
                    os.fchown(stream.fileno(), like.st_uid, like.st_gid)
            os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
        os.fsync(stream.fileno())


def read_text(path: Path, root: Path | None = None, *, limit: int = SIZE_LIMIT) -> str | None:
    """The text of a file in UTF-8, what is not being replaced; None where there is none. Raises as `read_bytes`."""
    content = read_bytes(path, root, limit=limit)
    return None if content is None else content.decode("utf-8-sig", errors="replace")


def read_toml(path: Path, root: Path | None = None, *, limit: int = TOML_LIMIT) -> Mapping[str, Any]:
    """The tables of a TOML file; empty where there is none. Raises as `read_bytes`, and where it is not TOML."""
    text = read_text(path, root, limit=limit)
    if text is None:
        return {}
    try:
        if _has_long_key(text):  # tomllib takes quadratic time for one
            raise ValueError("a key has too many parts")
        return _shallow(tomllib.loads(text))
    except (RecursionError, ValueError) as error:
        raise _invalid(path, "TOML", error) from error


def read_json(path: Path, root: Path | None = None, *, limit: int = SIZE_LIMIT) -> Any:
    """What a JSON file holds; None where there is none. Raises as `read_bytes`, and where it is not JSON."""
    text = read_text(path, root, limit=limit)
    try:
        return None if text is None else _shallow(json.loads(text))
    except (RecursionError, ValueError) as error:
        raise _invalid(path, "JSON", error) from error


def read_ini(path: Path, root: Path | None = None) -> ConfigParser:
    """The sections of an INI file; none where there is no file. Raises as `read_bytes`, and where it is not INI."""
    from configparser import ConfigParser, Error

    found = ConfigParser(interpolation=None, strict=False)
    text = read_text(path, root, limit=INI_LIMIT)
    lines = (text or "").split("\n")
    if len(lines) > INI_LINES or max(map(len, lines)) > INI_LINE:
        raise ProjectFileError(f"{path} has too many lines, or too long ones", "Make it smaller")
    try:
        found.read_string(text or "")
    # AttributeError: a continued line under an option without text
    except (Error, ValueError, AttributeError) as error:
        raise _invalid(path, "INI", error) from error
    return found


def read_folder(path: Path, root: Path | None = None, *, limit: int = ENTRY_LIMIT) -> tuple[tuple[str, bool], ...]:
    """The names in a folder, sorted, each with whether it is a folder's; none where there is no folder.

    Parameters
    ----------
    path, root
        As for `read_bytes`.
    limit
        The most names that it may hold.

    Raises
    ------
    ProjectFileError
        It leads out of the root, holds more than `limit` names or may not be read.
    """
    check_allowance(path)
    try:
        real = os.path.realpath(path, strict=True)
        if root is not None and not Path(real).is_relative_to(os.path.realpath(root)):
            raise ProjectFileError(f"{path} leads out of {root}", "Put the folder itself into the project")
        with os.scandir(real) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in islice(entries, limit + 1))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ProjectFileError(f"cannot read {path}: {error.strerror}", "Check its permissions") from error
    except ValueError as error:  # a null character in the name
        raise ProjectFileError(f"cannot read {str(path)!r}: {error}", "Give it another name") from error
    if len(found) > limit:
        raise ProjectFileError(f"{path} holds more than {limit} names", "Distribute them among folders")
    return tuple(found)


def check_allowance(path: Path) -> None:
    """Raise SpentError if the allowance in use is used up, before a file is read."""
    if allowance.is_over():
        raise SpentError(f"{path} is not read: reading the project takes too long", "Exclude large or repeated files")


def is_file(path: Path) -> bool:
    """Whether there is a file, links followed. Path's own raises for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder, as for `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112


def _opened(descriptor: int, expected: Path) -> Path:
    """Where the file is that was opened: a folder above may have become a link since its path was looked at.

    Only Linux tells; elsewhere it is where it was expected.
    """
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 (Path's resolves nothing either)
    except OSError:
        return expected


def _invalid(path: Path, form: str, error: Exception) -> ProjectFileError:
    """What is wrong with a file's form, in one line of bounded length."""
    reason = " ".join(str(error).split())
    shown = reason if len(reason) <= _REASON else f"{reason[:_REASON]}…"
    return ProjectFileError(f"{path} is not valid {form}: {shown}", "Correct the file or remove it")


def _has_long_key(text: str) -> bool:
    """Whether names joined by dots may be a key of more than `DEPTH_LIMIT` parts."""
    chunks = re.split(r"[^\w\"'. \t-]", re.sub(r"\.{2,}", "", text))
    return any(chunk.count(".") > DEPTH_LIMIT for chunk in chunks)


def _shallow(document: Any) -> Any:
    """The document itself; raises ValueError if it nests deeper than `DEPTH_LIMIT`, which recursion trips over."""
    level = [document]
    for _ in range(DEPTH_LIMIT):
        level = [
            part
            for value in level
            if isinstance(value, (dict, list))
            for part in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return document
    raise ValueError(f"it nests deeper than {DEPTH_LIMIT} levels")
