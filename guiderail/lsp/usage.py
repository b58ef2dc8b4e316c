"""How many suggestions were shown and accepted, by language and model: a small file on this machine, never sent.

It holds counts, names of languages and names of models, and nothing of what was suggested. Servers add what they have
counted from time to time, and when a client leaves.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from guiderail import private, projectfile
from guiderail.projectfile import ProjectFileError
from guiderail.prompt.snippet import shown as printable

log = logging.getLogger(__name__)

ROWS = 200  # of the file; what is counted beyond them goes to the row of other languages and models
NAME = 80  # characters of a language's or a model's name
LOCK_S = 0.2  # that another process is waited for: two files must be saved before a server has to have ended
OTHER = "other"

Key = tuple[str, str]  # language, model


@dataclass
class Counts:
    """What became of suggestions.

    Parameters
    ----------
    shown
        How many were shown.
    accepted
        How many were accepted whole.
    partly
        How many were accepted in part, and no more.
    """

    shown: int = 0
    accepted: int = 0
    partly: int = 0

    def add(self, other: Counts) -> None:
        """Add other counts; none falls below 0.

        Nor are more accepted than shown: what was shown before all was forgotten does not count once it is accepted.
        """
        self.shown = max(0, self.shown + other.shown)
        self.accepted = min(max(0, self.accepted + other.accepted), self.shown)
        self.partly = min(max(0, self.partly + other.partly), self.shown - self.accepted)


@dataclass(frozen=True)
class Usage:
    """All that was counted.

    Parameters
    ----------
    since
        The day of the first count.
    rows
        By language and model.
    generation
        A name that the file is given when it is begun; empty where there is no file.
    """

    since: str
    rows: Mapping[Key, Counts]
    generation: str = ""


class UsageFile:
    """The counts of all servers of a person, and those of this process that are not yet among them.

    Parameters
    ----------
    path
        By default in the person's state folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._pending: dict[Key, Counts] = {}
        self._guard = Lock()  # of what is pending: it is saved on another thread
        self._generation = ""  # of the file when what is pending began to be counted

    @property
    def path(self) -> Path:
        """Where the file is, whether it exists or not."""
        import platformdirs

        return self._path or platformdirs.user_state_path("guiderail") / "usage.json"

    def count(self, language: str, model: str, *, shown: int = 0, accepted: int = 0, partly: int = 0) -> None:
        """Count; a suggestion that turns out to be accepted whole is taken back from those accepted in part by -1."""
        if not self._pending:
            with contextlib.suppress(ProjectFileError):
                self._generation = _read(self.path).generation
        key = (printable(language[:NAME]) or OTHER, printable(public_name(model)[:NAME]) or OTHER)
        with self._guard:
            self._add({key: Counts(shown, accepted, partly)}, 1)

    def save(self) -> None:
        """Add what was counted to the file; where that cannot be read or written, it is kept for the next time."""
        if not self._pending:
            return
        try:
            with private.alone(self._lock, LOCK_S):
                self._save()
        except (OSError, ProjectFileError) as error:
            log.info("the counts cannot be kept: %s", error.strerror if isinstance(error, OSError) else error.message)

    def _save(self) -> None:
        """Save what is pending now; what is counted meanwhile stays pending."""
        known = _read(self.path)
        if self._drop_forgotten(known):
            return
        known = replace(known, generation=known.generation or secrets.token_hex(8))
        added = self._copy()
        private.write_text(self.path, _rendered(replace(known, rows=_added(known.rows, added))))
        with self._guard:
            self._add(added, -1)
            self._generation = known.generation

    def _copy(self) -> dict[Key, Counts]:
        with self._guard:
            return {key: replace(counts) for key, counts in self._pending.items()}

    def _add(self, more: Mapping[Key, Counts], times: int) -> None:
        """Add counts, or take them back, to what is pending; unlike those of the file they may fall below 0."""
        for key, counts in more.items():
            old = self._pending.pop(key, Counts())
            sums = [getattr(old, one.name) + times * getattr(counts, one.name) for one in fields(Counts)]
            if any(sums):
                self._pending[key] = Counts(*sums)

    def read(self) -> Usage:
        """All counts, those of this process among them.

        Raises
        ------
        ProjectFileError
            The file cannot be read.
        """
        known = _read(self.path)
        self._drop_forgotten(known)
        return self._with_pending(known)

    def reset(self) -> None:
        """Forget all counts.

        Raises
        ------
        OSError
            The file cannot be deleted.
        """
        with private.alone(self._lock, LOCK_S), self._guard:
            self._pending.clear()
            self.path.unlink(missing_ok=True)

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    def _with_pending(self, known: Usage) -> Usage:
        return replace(known, rows=_added(known.rows, self._copy()))

    def _drop_forgotten(self, known: Usage) -> bool:
        """Drop what was counted before another process had all forgotten; whether it had."""
        with self._guard:
            is_forgotten = bool(self._pending) and self._generation not in ("", known.generation)
            if is_forgotten:
                self._pending.clear()
            return is_forgotten


def public_name(model: str) -> str:
    """A model's name; of a path, which says where a person keeps things, its last part."""
    return Path(model).name if Path(model).is_absolute() else model


def _added(known: Mapping[Key, Counts], more: Mapping[Key, Counts]) -> dict[Key, Counts]:
    rows = {key: Counts(**asdict(counts)) for key, counts in known.items()}
    for key, counts in more.items():
        place = key if key in rows or len(rows) < ROWS - 1 else (OTHER, OTHER)
        rows.setdefault(place, Counts()).add(counts)
    return rows


def _read(path: Path) -> Usage:
    """What a file holds; nothing where it is missing or damaged.

    Raises
    ------
    ProjectFileError
        It cannot be read: it may hold counts.
    """
    today = date.today().isoformat()
    try:
        held = projectfile.read_json(path)
        if held is None:
            return Usage(today, {})
        rows = {(str(row["language"]), str(row["model"])): _counts_of(row) for row in held["rows"][:ROWS]}
        return Usage(date.fromisoformat(held["since"]).isoformat(), rows, str(held.get("generation", "")))
    except (ProjectFileError, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error.__cause__, OSError):
            raise
        log.warning("counting anew: %s does not hold counts (%s)", path, type(error).__name__)
        return Usage(today, {})


def _counts_of(row: Mapping[str, Any]) -> Counts:
    return Counts(**{one.name: max(0, int(row[one.name])) for one in fields(Counts)})


def _rendered(usage: Usage) -> str:
    return json.dumps(as_json(usage) | {"generation": usage.generation}, indent=1) + "\n"


def _listed(rows: Mapping[Key, Counts]) -> list[dict[str, Any]]:
    return [{"language": key[0], "model": key[1], **asdict(counts)} for key, counts in rows.items()]


def as_json(usage: Usage) -> dict[str, Any]:
    """The counts as an object."""
    return {"since": usage.since, "rows": _listed(usage.rows)}


def as_text(usage: Usage) -> str:
    """The counts as a table for a person, the language with most suggestions first."""
    if not usage.rows:
        return "Nothing has been counted yet.\n"
    order = sorted(usage.rows.items(), key=lambda row: (-row[1].shown, row[0]))
    total = Counts()
    for _, counts in order:
        total.add(counts)
    head = ("language", "model", "shown", "accepted", "in part", "accepted %")
    cells = [head, *(_cells(*key, counts) for key, counts in order)]
    if len(order) > 1:
        cells.append(_cells("all", "", total))
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return f"Suggestions since {usage.since}, counted on this machine alone:\n\n" + "\n".join(lines) + "\n"


def _cells(language: str, model: str, counts: Counts) -> tuple[str, ...]:
    taken = counts.accepted + counts.partly
    share = f"{100 * taken / counts.shown:.0f}" if counts.shown else "-"
    return (language, model, str(counts.shown), str(counts.accepted), str(counts.partly), share)
