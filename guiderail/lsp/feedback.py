"""Learns from what a person does with suggestions how sure to be of the next ones.

Each suggestion has a probability to be what is written next (`guiderail.engine.gate`), learned from other people's
code. A person's own code may be easier or harder to foresee. So one number for each model is added to the log odds. It
is kept in a small file on this machine, and never sent.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from guiderail import private, projectfile
from guiderail.projectfile import ProjectFileError

log = logging.getLogger(__name__)

FIRST_WEIGHT = 8.0  # of no shift at all: some thirty outcomes weigh as much
LAST_WEIGHT = 40.0  # of what is known: older outcomes count less and less
LIMIT = 1.0  # of the log odds either way: however little was right, what is likely enough is still shown
MODELS = 50  # in the file
LOCK_S = 0.2  # as for the counts (`guiderail.lsp.usage`)


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to the log odds of a model's suggestions.

    Parameters
    ----------
    odds
        The shift.
    weight
        How certain it is: the inverse of its variance.
    outcomes
        How many it was learned from.
    """

    odds: float = 0.0
    weight: float = FIRST_WEIGHT
    outcomes: int = 0

    def after(self, chance: float, *, right: bool) -> Shift:
        """The shift after one more suggestion, of probability `chance`.

        One step of Bayesian logistic regression on an intercept (Laplace's approximation: the mean moves by the error
        over the new precision).
        """
        weight = min(LAST_WEIGHT, self.weight + chance * (1 - chance))
        odds = self.odds + (right - chance) / weight
        return Shift(max(-LIMIT, min(LIMIT, odds)), weight, self.outcomes + 1)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A suggestion of a model, its probability, and whether it was written."""

    model: str
    chance: float
    right: bool


class Feedback:
    """The shifts of all models, for all servers of a person.

    Parameters
    ----------
    path
        Of the file; by default in the person's state folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._shifts: dict[str, Shift] | None = None
        self._pending: list[Lesson] = []
        self._guard = Lock()  # of both: they are saved on another thread
        self._was_there = False  # the file, when it was last read or written

    @property
    def path(self) -> Path:
        """Where the file is, whether it exists or not."""
        import platformdirs

        return self._path or platformdirs.user_state_path("guiderail") / "confidence.json"

    def shifts(self) -> Mapping[str, Shift]:
        """What was learned, by the model's name; nothing where the file cannot be read."""
        if self._shifts is None:
            self._shifts, self._was_there = _read(self.path), self.path.exists()
        return self._shifts

    def odds(self, model: str) -> float:
        """What to add to the log odds of a model's suggestions."""
        return self.shifts().get(model, Shift()).odds

    def learn(self, lesson: Lesson) -> None:
        """Take in what became of a suggestion."""
        self.shifts()
        with self._guard:
            self._shifts = _learned(self._shifts or {}, [lesson])
            self._pending.append(lesson)

    def save(self) -> None:
        """Add what was learned to what other servers have written meanwhile; forget it where another process did."""
        if self._was_there and not self.path.exists():
            self._forget({})
        if not self._pending:
            return
        try:
            with private.alone(self._lock, LOCK_S):
                self._save()
        except OSError as error:
            log.info("what was learned of suggestions cannot be kept: %s", error.strerror)

    def _save(self) -> None:
        """Save what is pending now; what is learned meanwhile stays pending."""
        added = tuple(self._pending)
        written = _learned(_read(self.path), added)
        private.write_text(self.path, _rendered(written))
        with self._guard:
            del self._pending[: len(added)]
            self._shifts, self._was_there = _learned(written, self._pending), True

    def _forget(self, shifts: dict[str, Shift] | None) -> None:
        with self._guard:
            self._pending.clear()
            self._shifts, self._was_there = shifts, False

    def reset(self) -> None:
        """Forget all.

        Raises
        ------
        OSError
            The file cannot be deleted.
        """
        with private.alone(self._lock, LOCK_S):
            self._forget(None)
            self.path.unlink(missing_ok=True)

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")


def as_text(shifts: Mapping[str, Shift]) -> str:
    """What was learned, a line for each model."""
    return "".join(
        f"Suggestions of {name} are taken for {'less' if shift.odds < 0 else 'more'} likely than usual by "
        f"{abs(shift.odds):.2f} in log odds, after {shift.outcomes} of them.\n"
        for name, shift in shifts.items()
    )


def _learned(known: Mapping[str, Shift], lessons: Sequence[Lesson]) -> dict[str, Shift]:
    shifts = dict(known)
    for one in lessons:
        if one.model in shifts or len(shifts) < MODELS:
            shifts[one.model] = shifts.get(one.model, Shift()).after(one.chance, right=one.right)
    return shifts


def _read(path: Path) -> dict[str, Shift]:
    try:
        held = projectfile.read_json(path) or {"models": {}}
        return {str(name): _shift_of(one) for name, one in list(held["models"].items())[:MODELS]}
    except (ProjectFileError, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("learning anew: %s does not hold what was learned (%s)", path, type(error).__name__)
        return {}


def _shift_of(held: Mapping[str, Any]) -> Shift:
    """A shift that stands in a file, if it is one that can have been learned; raises ValueError."""
    shift = Shift(float(held["odds"]), float(held["weight"]), int(held["outcomes"]))
    if not (math.isfinite(shift.odds) and abs(shift.odds) <= LIMIT and FIRST_WEIGHT <= shift.weight <= LAST_WEIGHT):
        raise ValueError("no shift is so large")
    return shift


def _rendered(shifts: Mapping[str, Shift]) -> str:
    return json.dumps({"models": {name: asdict(shift) for name, shift in shifts.items()}}, indent=1) + "\n"
