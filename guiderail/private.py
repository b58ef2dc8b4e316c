"""guiderail's own files and folders: other users cannot read or change them, whatever the umask.

State, logs, caches and the list of trusted workspaces hold names and pieces of a person's work, and decide what is run.
All that writes one of them goes through here: files are 0600, folders 0700, and what an earlier version left open is
closed when it is next written to, or a server starts.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

OTHERS = 0o077  # what a group and the world may do
RETRY_S = 0.02  # between two tries to get a lock


def folder(path: Path) -> Path:
    """Make a folder and its missing parents; guiderail's own folders are made private.

    So are the folders above it as far as they are guiderail's, and the files in it. A folder that a person has named is
    left as it is, and made as the person's umask says.

    Raises
    ------
    OSError
        It cannot be made.
    """
    own = _own(path)
    if own:
        for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(parents=True, exist_ok=True)
    for one in own:
        _close(one)
    if own:
        for entry in path.iterdir():
            _close(entry)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, its folder made if it is missing.

    In UTF-8; names of files that are not UTF-8 come back as the bytes they were (``surrogateescape``).

    Raises
    ------
    OSError
        It cannot be written.
    """
    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder(path.parent))  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def opener(path: str, flags: int) -> int:
    """An `opener` for `open` that makes files private, also existing ones."""
    descriptor = os.open(path, flags, 0o600)
    if os.name == "posix":
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and state.st_mode & OTHERS:
            os.fchmod(descriptor, 0o600)
    return descriptor


@contextlib.contextmanager
def alone(lock: Path, wait_s: float) -> Iterator[None]:
    """Wait until no other process or thread is in this block with the same lock file, and keep others out of it.

    Where the system has no such locks, nothing is waited for.

    Raises
    ------
    OSError
        The lock file cannot be made, or another process keeps the lock for more than `wait_s` seconds.
    """
    # NONBLOCK: opening a FIFO would wait for a reader.
    opened = lambda path, flags: opener(path, flags | getattr(os, "O_NONBLOCK", 0))  # noqa: E731
    with open(folder(lock.parent) / lock.name, "ab", opener=opened) as stream:
        end = time.monotonic() + wait_s
        while not _locked(stream.fileno()):
            if time.monotonic() > end:
                raise TimeoutError(errno.ETIMEDOUT, "another process keeps it locked", str(lock))
            time.sleep(RETRY_S)
        yield


def _locked(descriptor: int) -> bool:
    """Whether a file is locked for this descriptor now; the kernel's own waiting could not be bounded."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def umask() -> Iterator[None]:
    """A context in which libraries and programs create private files.

    Process-wide: for commands that do one thing, not for the server.
    """
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def close() -> None:
    """Make guiderail's existing folders private, and so everything in them."""
    for root in _roots():
        _close(root)


def _roots() -> tuple[Path, ...]:
    """The folders that are guiderail's, with all that is below them."""
    import platformdirs

    folders = platformdirs.PlatformDirs("guiderail")
    return (
        folders.user_config_path,
        folders.user_data_path,
        folders.user_cache_path,
        folders.user_state_path,
        folders.user_log_path,
    )


def _own(path: Path) -> list[Path]:
    """A folder and those above it, as far as they are guiderail's; none if it lies elsewhere."""
    above = [path, *path.parents]
    return next((above[: above.index(root) + 1] for root in _roots() if root in above), [])


def _close(path: Path) -> None:
    """Remove other users' permissions on one of the person's files or folders; links are left alone."""
    with contextlib.suppress(OSError):
        state = path.lstat()
        kind = state.st_mode
        is_own = os.name == "posix" and state.st_uid == os.geteuid()
        if is_own and kind & OTHERS and (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            path.chmod(stat.S_IMODE(kind) & ~OTHERS)
