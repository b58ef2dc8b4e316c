"""The file system that a program in the sandbox sees, built anew for each run.

Its root is a file system in memory that vanishes with the run. The interpreter, the installed packages and the system's
programs and libraries are mounted read-only. The program may write to its own folder, /tmp and /dev/shm, whose total
size is limited. The host's root is detached.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from guiderail.decoding.sandbox.isolation import kernel

FOLDER = "/trial"
WRITABLE = (FOLDER, "/tmp", "/dev/shm")
DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")  # not /dev/zero: a shared mapping of it is memory unseen
STREAMS = {"/dev/fd": "", "/dev/stdin": "/0", "/dev/stdout": "/1", "/dev/stderr": "/2"}
OLD = "/.old"
LINKS = 40  # that are followed on a way


def build(shown: Iterable[str], *, size: int, files: int, owner: tuple[int, int]) -> None:
    """Build the file system and make it this process's root; the process must be process 1 of its namespaces.

    Parameters
    ----------
    shown
        Absolute paths that can be read; those that do not exist are left out.
    size, files
        Bytes and files that can be written in all.
    owner
        The user and the group that may write.

    Raises
    ------
    RefusedError
        The kernel refuses a step.
    """
    kernel.mount("", "/", flags=kernel.REC | kernel.PRIVATE)
    options = f"size={size},nr_inodes={files},mode=755"
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NOSUID | kernel.NODEV, options)
    os.mkdir(f"/tmp{OLD}", 0o700)
    kernel.pivot_root("/tmp", f"/tmp{OLD}")
    os.chdir("/")
    view = _View()
    for path in (*shown, *DEVICES):
        view.show(path)
    os.mkdir("/proc", 0o555)
    # Processes alone: the rest of /proc tells of the machine. It needs the host's own /proc to be whole.
    kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC, "subset=pid")
    _make_writable(owner)
    kernel.detach(OLD)
    os.rmdir(OLD)
    kernel.set_mount("/", on=kernel.ATTR_READ_ONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV, recursive=True)
    for folder in WRITABLE:
        kernel.set_mount(folder, off=kernel.ATTR_READ_ONLY)
    for device in DEVICES:
        if os.path.exists(device):
            kernel.set_mount(device, off=kernel.ATTR_NODEV)


def _make_writable(owner: tuple[int, int]) -> None:
    for folder in WRITABLE:
        os.makedirs(folder, 0o755, exist_ok=True)
        os.chown(folder, *owner)
        os.chmod(folder, 0o700)
        kernel.mount(folder, folder, flags=kernel.BIND)
    for name, descriptor in STREAMS.items():
        os.symlink(f"/proc/self/fd{descriptor}", name)


class _View:
    """Shows paths of the old root in the new one, with all links on the way as they are."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def show(self, path: str) -> None:
        """Show a file or a folder."""
        here, left, links = "", [part for part in reversed(path.split("/")) if part], 0
        while left:
            name = left.pop()
            if name in {".", ".."}:
                here = here.rpartition("/")[0] if name == ".." else here
                continue
            here = f"{here}/{name}"
            if here in self._shown or not os.path.lexists(OLD + here):
                return
            if not os.path.islink(OLD + here):
                self._enter(here, last=not left)
                continue
            links += 1
            if links > LINKS:
                return
            target = os.readlink(OLD + here)
            if not os.path.lexists(here):
                os.symlink(target, here)
            left += reversed(target.split("/"))
            here = "" if target.startswith("/") else here.rpartition("/")[0]

    def _enter(self, here: str, *, last: bool) -> None:
        """Make a folder on the way, or show what it ends with."""
        is_folder = os.path.isdir(OLD + here)
        if is_folder:
            os.makedirs(here, 0o755, exist_ok=True)
        elif not os.path.lexists(here):
            os.close(os.open(here, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        if not last:
            return
        try:
            kernel.mount(OLD + here, here, flags=kernel.BIND | kernel.REC)
        except kernel.RefusedError:
            if not os.access(OLD + here, os.R_OK):  # another user's: not shown, as it could not be read
                return
            raise
        self._shown.add(here)


def unpack(entries: Iterable[tuple[str, int, bytes | str | None]]) -> None:
    """Write a tree into the working directory, which is empty: nothing there is followed or replaced.

    Parameters
    ----------
    entries
        Relative paths, permissions, and the content of a file, the target of a link, or None for a folder. Folders
        come before what they hold, links last.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for path, mode, content in entries:
        if content is None:
            os.mkdir(path, mode | 0o700)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            descriptor = os.open(path, flags, mode | 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
