"""Many cursors from a JSONL file to a JSONL file, resumable after a kill at any moment.

Each row of the output is written whole and says which input line it answers (``key``) and with which settings, so
that a second run can tell what is done, repair a line that was torn, and refuse to mix two runs.
"""

import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import click

from guiderail import __version__
from guiderail.cli.cursor import request_at
from guiderail.cli.loading import load_engine
from guiderail.cli.options import STDIN
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import BATCH
from guiderail.errors import GuiderailError, UsageError
from guiderail.settings import Settings, SettingsError, Source, checked

SYNC_INTERVAL = 1.0  # seconds between two fsyncs: a power cut loses at most this much work, a kill loses nothing

# Settings that change how fast a row is made or what is logged, not what is in it.
_IRRELEVANT = frozenset({"threads", "log_level"})
_FIELDS = frozenset({"id", "file", "line", "column", "until", "max_tokens", "language"})

# How every row begins, and a beginning to complete a shorter one with.
_HEAD = re.compile(rb'\{"key": "[0-9a-f]{16}["-]')
_SAMPLE = b'{"key": "0123456789abcdef"'
_HEAD_SIZE = len(_SAMPLE)


class ResumeError(UsageError):
    """The output file belongs to another run."""


@dataclass(frozen=True)
class Task:
    """One input line; ``position`` is its JSON object, or ``problem`` says why there is none."""

    key: str
    position: dict[str, Any]
    problem: str = ""


def complete_all(positions: str, output: str, settings: Settings) -> None:
    """Answer every position of a file that the output does not answer yet.

    Parameters
    ----------
    positions
        JSONL file, ``-`` for standard input: ``{"file", "line", "column"}`` and, optionally, ``"id"``,
        ``"until"``, ``"max_tokens"`` and ``"language"`` in each line. File names are relative to the current folder.
    output
        JSONL file, continued if it exists, or ``-`` for standard output.

    Raises
    ------
    UsageError
        The positions cannot be read, or the output is the same file, or was made with other settings or weights.
    click.exceptions.Exit
        With code 1 when at least one position has an error row.
    """
    _refuse_same_file(positions, output)
    tasks = read_tasks(positions)
    identity = _identity(settings)
    done = {} if output == STDIN else finished(Path(output), identity)
    todo = [task for task in tasks if task.key not in done]
    failed = sum(done.get(task.key, False) for task in tasks)
    if todo:
        with _sink(output) as sink:
            engine = load_engine(settings, limits=BATCH)
            failed += _answer(engine, settings, todo, identity, sink, len(tasks))
    _summarise(len(tasks), len(todo), failed)
    if failed:
        raise click.exceptions.Exit(1)


def _refuse_same_file(positions: str, output: str) -> None:
    if STDIN in {positions, output} or not (Path(positions).exists() and Path(output).exists()):
        return
    if Path(positions).samefile(output):
        raise UsageError(f"{output} holds the positions themselves", "Choose another --output")


def _answer(
    engine: Engine, settings: Settings, todo: list[Task], identity: dict[str, Any], sink: "_Sink", total: int
) -> int:
    """Write the row of each task; return how many are errors."""
    failed = 0
    with _progress(total, total - len(todo)) as advance:
        for task in todo:
            row = _row(engine, settings, task, identity)
            failed += "error" in row
            sink.write(json.dumps(row) + "\n")
            advance()
    return failed


def read_tasks(positions: str) -> list[Task]:
    """Read the input; a line that is not a position becomes a task with a problem."""
    try:
        data = sys.stdin.buffer.read() if positions == STDIN else Path(positions).read_bytes()
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{positions} is not UTF-8", "Save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {positions}: {error.strerror}", "Check the path") from error
    return list(_tasks(line for line in lines if line.strip()))


def _tasks(lines: Iterable[str]) -> Iterator[Task]:
    """Keys come from a line's content, and from its number among equal lines: they survive a reordered input."""
    seen: Counter[str] = Counter()
    for line in lines:
        position, problem = _parse(line)
        text = line.strip() if problem else json.dumps(position, sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        seen[digest] += 1
        key = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        yield Task(key, position, problem)


def _parse(line: str) -> tuple[dict[str, Any], str]:
    try:
        position = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON: {error}"
    if not isinstance(position, dict):
        return {}, "not a JSON object"
    return position, ""


def _identity(settings: Settings) -> dict[str, Any]:
    """What two runs must share for their rows to be comparable; a model's name does not tell its weights."""
    from guiderail.engine.choice import identity_of

    kept = {key: value for key, value in asdict(settings).items() if key not in _IRRELEVANT}
    return {"version": __version__, "weights": identity_of(settings.model, settings.api_key_env)[1], **kept}


def finished(output: Path, identity: dict[str, Any]) -> dict[str, bool]:
    """Keys of the rows in ``output``, and whether each is an error; a torn last line is cut off.

    Nothing is changed before every whole line has been found to be a row of ours: the file may be somebody else's.

    Raises
    ------
    ResumeError
        A row is not ours, or was made with other settings.
    """
    if not output.exists():
        return {}
    if not output.is_file():
        raise UsageError(f"{output} is not a file that can be continued", "Choose another --output, or - for a pipe")
    try:
        with output.open("rb") as file:
            if not _begins_like_ours(file.read(_HEAD_SIZE)):
                raise _foreign(output, 1)
            file.seek(0)
            done, whole = _read_rows(output, file, identity)
        if whole != output.stat().st_size:
            os.truncate(output, whole)
    except OSError as error:
        raise UsageError(f"cannot continue {output}: {error.strerror}", "Choose another --output") from error
    return done


def _begins_like_ours(start: bytes) -> bool:
    """Whether a file begins as a row does, as far as it goes; an empty one may become ours."""
    return _HEAD.match(start + _SAMPLE[len(start) :]) is not None


def _read_rows(output: Path, file: IO[bytes], identity: dict[str, Any]) -> tuple[dict[str, bool], int]:
    """The keys as in `finished`, and the bytes of all whole rows.

    A kill in the middle of a write leaves a line without its end, which is no row: its position is done again.
    """
    done: dict[str, bool] = {}
    size = 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            break
        row = _ours(output, number, line)
        _same(output, row["settings"], identity)
        done[row["key"]] = "error" in row
        size += len(line)
    return done, size


def _ours(output: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if isinstance(row["key"], str) and isinstance(row["settings"], dict):
            return row
    except (ValueError, KeyError, TypeError, RecursionError):  # undecodable bytes are a ValueError
        pass
    raise _foreign(output, number)


def _foreign(output: Path, number: int) -> ResumeError:
    return ResumeError(f"line {number} of {output} was not written by guiderail", "Choose another --output")


def _same(output: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    for key in sorted(ours.keys() | theirs.keys()):
        if theirs.get(key) != ours.get(key):
            raise ResumeError(
                f"{output} was made with {key} = {theirs.get(key)!r}, not {ours.get(key)!r}",
                "Use the same settings to resume it, or choose another --output",
            )


def _row(engine: Engine, settings: Settings, task: Task, identity: dict[str, Any]) -> dict[str, Any]:
    """The answer to one task, or its error: a bad position never stops the others."""
    from guiderail.cli.output import payload

    head: dict[str, Any] = {"key": task.key}
    head |= {name: task.position[name] for name in ("id", "file") if name in task.position}
    try:
        request = _request(task, settings)
        found = engine.complete(request)
        return head | payload(request, found, engine.described) | {"file": task.position["file"], "settings": identity}
    except GuiderailError as error:
        problem = {"message": error.message, "remedy": error.remedy}
        return head | {"error": problem, "settings": identity}


def _request(task: Task, settings: Settings) -> CompletionRequest:
    from guiderail.text.language import language_named
    from guiderail.text.source import read_source

    if task.problem:
        raise UsageError(f"this line of the input is {task.problem}", "Write one JSON object a line")
    position = task.position
    unknown = sorted(position.keys() - _FIELDS)
    if unknown:
        raise UsageError(f"unknown field {unknown[0]!r}", f"The fields are {', '.join(sorted(_FIELDS))}")
    for name, kind in (("file", str), ("line", int), ("column", int)):
        if type(position.get(name)) is not kind:
            noun = "a string" if kind is str else "an integer"
            given = f"not {position[name]!r}" if name in position else "and is missing"
            raise UsageError(f"{name!r} must be {noun}, {given}", "Correct the position")
    language = language_named(str(position["language"])) if position.get("language") else None
    document = read_source(Path(position["file"]), language)
    own = {name: value for name in ("until", "max_tokens") if (value := _limit(task, name)) is not None}
    return request_at(document, position["line"], position["column"], replace(settings, **own))


def _limit(task: Task, name: str) -> Any:
    """A position's own value of a setting, None when it has none."""
    if task.position.get(name) is None:
        return None
    try:
        return checked(name, task.position[name], Source("user", "this position"))
    except SettingsError as error:
        raise UsageError(error.message, "Correct the position") from error


class _Sink:
    """A file that is synchronised with the disk now and then, and at the end."""

    def __init__(self, file: IO[str], *, durable: bool) -> None:
        self._file = file
        self._durable = durable
        self._synced = time.monotonic()

    def write(self, line: str) -> None:
        """Write a whole line to the system, which keeps it even if this process is killed."""
        self._file.write(line)
        self._file.flush()
        if self._durable and time.monotonic() - self._synced > SYNC_INTERVAL:
            self.sync()

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


@contextmanager
def _sink(output: str) -> Iterator[_Sink]:
    if output == STDIN:
        yield _Sink(sys.stdout, durable=False)
        return
    try:
        file = Path(output).open("a", encoding="utf-8", newline="\n")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}", "Check --output") from error
    with file:
        sink = _Sink(file, durable=True)
        try:
            yield sink
        finally:
            sink.sync()


@contextmanager
def _progress(total: int, done: int) -> Iterator[Any]:
    """A bar with the remaining time on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("completing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=total, completed=done)
        yield lambda: progress.advance(bar)


def _summarise(total: int, now: int, failed: int) -> None:
    resumed = f", {total - now} were done before" if total > now else ""
    errors = f", {failed} with an error" if failed else ""
    click.echo(f"{total} positions: {now} answered now{resumed}{errors}", err=True)
