"""The folder of a run: what it measures, its tasks, and one row a sample, written so that a kill loses nothing.

run.json        conditions: configuration, versions, commit, hardware, seeds
tasks.jsonl     the prompts as far as a report shows them, and the truth
samples.jsonl   one row a sample; all rows of a unit (one task, one system) are written at once
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from guiderail.errors import UsageError
from guiderail.evaluation.row_file import RowFile, Unit, usable, write_whole
from guiderail.evaluation.task import Task

RUN, TASKS, SAMPLES = "run.json", "tasks.jsonl", "samples.jsonl"
SHOWN_BEFORE, SHOWN_BEHIND = 2000, 600  # characters of a prompt that a report shows
# What must be the same for rows to be kept in one file.
IDENTITY = ("config_sha256", "tasks_sha256", "versions", "commit", "builders")


class RunFolder:
    """A run's folder, open for writing by one process at a time.

    Parameters
    ----------
    folder
        Made if it is not there.
    conditions
        What the run is: must equal that of an earlier start.
    Raises
    ------
    UsageError
        The folder is another run's, is in use, or cannot be written.
    """

    def __init__(self, folder: Path, conditions: Mapping[str, Any]) -> None:
        self.folder = folder
        remedy = "Choose another folder by --out"
        with usable(folder, remedy):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = locked(folder / "lock", folder)
        try:
            with usable(folder, remedy):
                self._agree(conditions)
                self._rows = RowFile(folder / SAMPLES)
        except UsageError:
            self._lock.close()
            raise

    def write_tasks(self, tasks: Iterable[Task]) -> None:
        """Keep what a report shows of the tasks; once."""
        target = self.folder / TASKS
        if not target.exists():
            write_whole(target, "".join(json.dumps(_shown(task)) + "\n" for task in tasks))

    @property
    def done(self) -> Collection[Unit]:
        """The units that are all there."""
        return self._rows.done.keys()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows of one unit, in one piece, down to the disk."""
        self._rows.add(rows)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()
        self._lock.close()

    def _agree(self, conditions: Mapping[str, Any]) -> None:
        target = self.folder / RUN
        if not target.exists():
            write_whole(target, json.dumps(conditions, indent=2) + "\n")
            return
        before = read_json(target)
        now = json.loads(json.dumps(conditions))
        other = [key for key in IDENTITY if before.get(key) != now.get(key)]
        if other:
            names = {"config_sha256": "configuration", "tasks_sha256": "tasks"}
            what = ", ".join(names.get(key, key) for key in other)
            raise UsageError(
                f"{self.folder} was begun with other {what}: rows of two kinds are not mixed",
                "Name another folder by --out, or go back to what it was begun with",
            )


def locked(lock: Path, place: Path) -> IO[str]:
    """The open lock file of a folder or file; a second process is refused, a killed one leaves no lock after.

    Only who holds a lock deletes its file. One that was deleted before it could be locked is opened anew.

    Raises
    ------
    UsageError
        Another process holds it.
    OSError
        It cannot be opened.
    """
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return Path(os.devnull).open()
    while True:
        stream = lock.open("w")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.close()
            raise UsageError(f"another process writes to {place}", "Wait for it, or name another one") from error
        if _is_at(stream, lock):
            return stream
        stream.close()


def _is_at(stream: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _shown(task: Task) -> dict[str, Any]:
    return {
        "task": task.id,
        "kind": task.kind,
        "package": task.package,
        "path": task.path,
        "language": task.language,
        "before": task.prefix[-SHOWN_BEFORE:],
        "behind": task.suffix[:SHOWN_BEHIND],
        "truth": task.truth,
    }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file.

    Raises
    ------
    UsageError
        There is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON", "Name a run's folder or a --json file") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a measurement", "Name a run's folder or a --json file")
    return found
