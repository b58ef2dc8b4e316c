"""The texts of files at a git revision.

Only commands that read objects are used: others would run programs that the repository's own configuration names.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from guiderail import programs, projectfile
from guiderail.errors import UsageError
from guiderail.projectfile import ProjectFileError
from guiderail.text.language import language_of
from guiderail.text.source import SIZE_LIMIT
from guiderail.text.syntax import has_grammar

GIT_S = 30.0
MEMORY = 1 << 30  # bytes
LIST_LIMIT = 64_000_000  # bytes of the names in a revision: a small repository may describe millions
# git need not hold what is large in memory, whatever the repository sets.
_READING = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.bigFileThreshold={SIZE_LIMIT}")
_ALONE = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": ""}  # nothing is fetched


class Revision:
    """A revision of a repository.

    Parameters
    ----------
    root
        The repository's work tree.
    name
        The revision, such as ``HEAD`` or ``v1.2``.

    Raises
    ------
    UsageError
        There is no git, no such repository, or no such revision in it.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        if name.startswith("-"):
            raise UsageError(f"{name!r} is no revision", "Name a commit, branch or tag")
        self._id = self._run("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").decode().strip()

    def text(self, path: Path) -> bytes | None:
        """What a file held; None if there was none."""
        blob = self._blobs.get(path)
        return self._run("cat-file", "blob", blob, limit=SIZE_LIMIT) if blob is not None else None

    def changed(self) -> Iterator[tuple[Path, bytes]]:
        """The files with a grammar that hold something else now, with what they hold.

        The revision's names are whatever its author wrote: absolute, with dots, or under what is a link by now. Only
        what lies in the repository counts, and is no larger than a source file may be.
        """
        for path, blob in self._blobs.items():
            if not has_grammar(language_of(path)):
                continue
            try:
                data = None if path.is_symlink() else projectfile.read_bytes(path, self._root, limit=SIZE_LIMIT)
            except (ProjectFileError, OSError):  # OSError: a name that is too long
                continue
            if data is not None and _blob_id(data, len(blob)) != blob:
                yield path, data

    @cached_property
    def _blobs(self) -> dict[Path, str]:
        """The regular files of the revision, with the ids of what they held."""
        found = {}
        for line in self._run("ls-tree", "-r", "-z", "--full-tree", self._id, limit=LIST_LIMIT).split(b"\0"):
            head, _, name = line.partition(b"\t")
            mode, _, rest = head.partition(b" ")
            if mode in {b"100644", b"100755"}:
                found[self._root / name.decode(errors="surrogateescape")] = rest.split()[-1].decode()
        return found

    def _run(self, *arguments: str, limit: int = 1000) -> bytes:
        """What git says, of at most so many bytes."""
        program = programs.find("git", untrusted=self._root)
        if program is None:
            raise UsageError("git is not installed", "Give the earlier text with --before")
        try:
            with subprocess.Popen(
                _limited([program, "-C", str(self._root), *_READING, *arguments]),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                cwd=programs.working_directory(), env=programs.environment(self._root) | _ALONE,
            ) as process:  # fmt: skip
                said, why = _read(process, limit)
        except OSError as error:
            said, why = None, str(error.strerror)
        if said is None:
            reason = f"git cannot read {arguments[-1].removesuffix('^{commit}')} in {self._root}: {why}"
            raise UsageError(reason, "Name a commit, branch or tag, or give the earlier text with --before")
        return said


def _limited(command: list[str]) -> list[str]:
    """A command that gives a program no more memory than `MEMORY`, where Linux can.

    A file of 40 bytes may be stored as a difference from one that unpacks to terabytes. What is mapped, as packs are,
    does not count. A limit that is set once the program runs comes too late.
    """
    if sys.platform != "linux":
        return command
    return ["/bin/sh", "-c", f'ulimit -d {MEMORY >> 10}; exec "$@"', "sh", *command]


def _read(process: subprocess.Popen[bytes], limit: int) -> tuple[bytes | None, str]:
    """What a program writes; nothing, and why, where it fails, takes too long or writes more than `limit` bytes."""
    assert process.stdout is not None
    assert process.stderr is not None
    timer = threading.Timer(GIT_S, process.kill)
    timer.start()
    try:
        said = process.stdout.read(limit + 1)
        if len(said) > limit:
            process.kill()
            return None, f"it is larger than {limit} bytes"
        problems = process.stderr.read(LIST_LIMIT).decode(errors="replace").strip().splitlines()
        return (said, "") if process.wait() == 0 else (None, problems[-1] if problems else "it gave no reason")
    finally:
        timer.cancel()


def _blob_id(data: bytes, digits: int) -> str:
    """Git's name for a file's content."""
    kind = hashlib.sha1 if digits == 40 else hashlib.sha256
    return kind(b"blob %d\0" % len(data) + data).hexdigest()
