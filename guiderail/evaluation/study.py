"""What studies share: how much is measured, and what is kept of an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from guiderail.evaluation.packages import parses
from guiderail.evaluation.scoring import edit_similarity, exact_match
from guiderail.evaluation.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    seed
        Of every draw, and of the bootstrap.
    """

    counted: ClassVar[tuple[str, ...]]  # the fields that --n sets

    packages: int | None = None
    seed: int = 0

    def sized(self, count: int | None) -> Self:
        """The plan with another number of what it counts, if one is given."""
        return replace(self, **dict.fromkeys(self.counted, count)) if count else self


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPlan(Plan):
    """How much is measured of answers.

    Parameters
    ----------
    prompt_tokens, max_tokens
        Tokens of a prompt and of an answer at most.
    """

    prompt_tokens: int = 1024
    max_tokens: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, scored; `parses` tells whether the file with the answer in it can be parsed."""

    package: str
    path: str
    start: int
    answer: str
    exact: bool
    similarity: float
    parses: bool


def scored(task: Task, text: str) -> dict[str, Any]:
    """The fields of an `Answer` to a task in Python."""
    return {
        "package": task.package,
        "path": task.path,
        "start": task.start,
        "answer": text,
        "exact": exact_match(text, task.truth),
        "similarity": edit_similarity(text, task.truth),
        "parses": parses(task.completed(text)),
    }
