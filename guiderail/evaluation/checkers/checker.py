"""The contract of a checker, and which one judges a language (`guiderail.evaluation.scoring.new_errors`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from guiderail.evaluation.scoring import new_errors
from guiderail.evaluation.task import Task


class CannotCheck(Exception):
    """A checker cannot judge; the message says why in a few words, for the count."""


class Checker(Protocol):
    """Finds the errors of a file in its project."""

    def errors(self, root: Path, path: str, text: str) -> list[str]:
        """What is wrong with the file `path` of the project `root` if it holds `text`; one word or line an error.

        Raises
        ------
        CannotCheck
            It does not say.
        """
        ...

    def stop(self) -> None:
        """End what runs."""
        ...


class Judge:
    """Says whether answers bring errors; keeps those of the author's text.

    Parameters
    ----------
    checkers
        By language, a maker of the checker; made when first wanted.
    """

    def __init__(self, checkers: dict[str, Callable[[], Checker]]) -> None:
        self._makers = checkers
        self._made: dict[str, Checker] = {}
        self._own: dict[tuple[Path, str], list[str]] = {}

    def new_errors(self, task: Task, answer: str) -> list[str]:
        """The errors that the file with `answer` has and the author's has not.

        Raises
        ------
        CannotCheck
            The project is not laid out, no checker knows its language, or the checker does not say.
        """
        if task.root is None or task.language not in self._makers:
            raise CannotCheck("no project" if task.root is None else "no checker")
        checker = self._checker(task.language)
        key = (task.root, task.path)
        if key not in self._own:
            self._own[key] = checker.errors(task.root, task.path, task.completed(task.truth))
        return new_errors(checker.errors(task.root, task.path, task.completed(answer)), self._own[key])

    def stop(self) -> None:
        """End all checkers."""
        for checker in self._made.values():
            checker.stop()

    def _checker(self, language: str) -> Checker:
        if language not in self._made:
            self._made[language] = self._makers[language]()
        return self._made[language]


def judge_for(analyser: str = "auto") -> Judge:
    """The judge with every checker that guiderail has."""
    from guiderail.evaluation.checkers.analysed import AnalysedPython
    from guiderail.evaluation.checkers.java import Javac
    from guiderail.evaluation.checkers.typescript import Tsc

    return Judge({"python": lambda: AnalysedPython(analyser), "java": Javac, "typescript": Tsc})
