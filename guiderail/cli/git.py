"""The texts of files at a git revision.

Only commands that read objects are used: others would run programs that the repository's own configuration names.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from guiderail import programs
from guiderail.errors import UsageError
from guiderail.text.language import language_of
from guiderail.text.source import SIZE_LIMIT
from guiderail.text.syntax import has_grammar

GIT_S = 30.0
_READING = ("--no-optional-locks", "-c", "core.fsmonitor=false")
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
        return self._run("cat-file", "blob", blob) if blob is not None else None

    def changed(self) -> Iterator[Path]:
        """The files with a grammar that hold something else now."""
        for path, blob in self._blobs.items():
            is_source = has_grammar(language_of(path)) and path.is_file() and not path.is_symlink()
            if is_source and path.stat().st_size <= SIZE_LIMIT and _blob_id(path.read_bytes(), len(blob)) != blob:
                yield path

    @cached_property
    def _blobs(self) -> dict[Path, str]:
        """The regular files of the revision, with the ids of what they held."""
        found = {}
        for line in self._run("ls-tree", "-r", "-z", "--full-tree", self._id).split(b"\0"):
            head, _, name = line.partition(b"\t")
            mode, _, rest = head.partition(b" ")
            if mode in {b"100644", b"100755"}:
                found[self._root / name.decode(errors="surrogateescape")] = rest.split()[-1].decode()
        return found

    def _run(self, *arguments: str) -> bytes:
        program = programs.find("git", untrusted=self._root)
        if program is None:
            raise UsageError("git is not installed", "Give the earlier text with --before")
        try:
            done = subprocess.run(
                [program, "-C", str(self._root), *_READING, *arguments],
                capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_S, check=False,
                cwd=programs.working_directory(), env=programs.environment(self._root) | _ALONE,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise UsageError("git cannot be run", "Give the earlier text with --before") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
            reason = f"git cannot read {arguments[-1].removesuffix('^{commit}')} in {self._root}: {said[-1]}"
            raise UsageError(reason, "Name a commit, branch or tag, or give the earlier text with --before")
        return done.stdout


def _blob_id(data: bytes, digits: int) -> str:
    """Git's name for a file's content."""
    kind = hashlib.sha1 if digits == 40 else hashlib.sha256
    return kind(b"blob %d\0" % len(data) + data).hexdigest()
