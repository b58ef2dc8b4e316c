"""Which checker judges a language, and what of its errors an answer brings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guiderail.evaluation.checkers.analysed import AnalysedPython
from guiderail.evaluation.checkers.checker import CannotCheck, Checker
from guiderail.evaluation.checkers.java import Javac
from guiderail.evaluation.checkers.typescript import Tsc
from guiderail.evaluation.task import Task
from guiderail.monitors.verdict import new_errors


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


def judge_for(analyser: str = "auto", trust: str = "listed") -> Judge:
    """The judge with every checker that guiderail has.

    Parameters
    ----------
    analyser, trust
        Settings of who checks Python.
    """
    return Judge({"python": lambda: AnalysedPython(analyser, trust), "java": Javac, "typescript": Tsc})
