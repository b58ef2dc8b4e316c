"""Rows of a run in a file, one a line, so that a broken run goes on where it ended."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guiderail.errors import UsageError

Unit = tuple[str, str]
Row = Mapping[str, Any]


class RowFile:
    """The rows of a run in a file, one a line; what a kill left half written is cut off.

    Parameters
    ----------
    file
        Its name; it is made if it is not there.
    header
        The first line, if there is to be one: what the rows depend on.

    Attributes
    ----------
    file
        Its name.
    done
        The units that are all there; with their rows if there is a header, for a run's folder may hold a great many.

    Raises
    ------
    UsageError
        The file belongs to another run.
    OSError
        It cannot be read or written (`usable`).
    """

    def __init__(self, file: Path, header: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self._header = header
        self.done: dict[Unit, Sequence[Row]] = {}
        place = self._begun(file, header) if header is not None else 0
        kept = self._resumed(file, place)
        self._stream = file.open("ab", buffering=0)
        self._stream.truncate(kept)

    def add(self, rows: Sequence[Row]) -> None:
        """Write the rows of one unit, in one piece, down to the disk."""
        if unit_of(rows[0]) not in self.done:
            with usable(self.file):
                self._stream.write("".join(json.dumps(row) + "\n" for row in rows).encode())
                os.fsync(self._stream.fileno())
            self.done[unit_of(rows[0])] = rows if self._header is not None else ()

    def close(self) -> None:
        """Let the file go."""
        self._stream.close()

    def _begun(self, file: Path, header: Mapping[str, Any]) -> int:
        """Where the rows begin, after the header, which must be this run's."""
        wanted = json.dumps(header) + "\n"
        with file.open("rb") if file.exists() else io.BytesIO() as stream:
            found = stream.readline()
        if not found:
            write_whole(file, wanted)
            found = wanted.encode()
        if (begun := _row(found)) != json.loads(wanted):
            words = f"{file} holds the samples of another run{_otherwise(begun, json.loads(wanted))}"
            raise UsageError(words, "Name another file, or remove it")
        return len(found)

    def _resumed(self, file: Path, place: int) -> int:
        """Read the units that are all there; where they end."""
        kept, rows = place, list[dict[str, Any]]()
        with file.open("rb") if file.exists() else io.BytesIO() as stream:
            stream.seek(place)
            for line in stream:
                place += len(line)
                row = _row(line)
                if row is None or (rows and unit_of(row) != unit_of(rows[0])):
                    break
                rows.append(row)
                if len(rows) == row.get("samples", 1):
                    self.done[unit_of(row)] = rows if self._header is not None else ()
                    rows, kept = [], place
        return kept


def _otherwise(begun: object, now: Mapping[str, Any]) -> str:
    """What differs, as the end of a sentence, where there is a header."""
    keys = [key for key in now if begun.get(key) != now[key]] if isinstance(begun, dict) else []
    return f", with other {', '.join(keys)}" if keys else ""


@contextmanager
def usable(place: Path, remedy: str = "Name another file") -> Iterator[None]:
    """A context in which a system's error becomes a `UsageError`: the file or folder cannot be used."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot use {place}: {error.strerror}", remedy) from error


def write_whole(target: Path, text: str) -> None:
    """Write a file whole or not at all, whatever ends the process."""
    target = target.resolve()  # a link stays
    part = target.parent / f"{target.name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(target)


def unit_of(row: Mapping[str, Any]) -> Unit:
    """What is written as a whole: one task, one system. Each of its rows says how many they are, under ``samples``."""
    return row["task"], row["system"]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSONL file; a last one that is half written is left out."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [row for line in lines if (row := _row(line)) is not None]
