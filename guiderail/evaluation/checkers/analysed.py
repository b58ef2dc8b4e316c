"""Python has no compiler that knows types: the parser first, then the analyser's diagnostics."""

from __future__ import annotations

from concurrent.futures import TimeoutError as LateError
from pathlib import Path

from guiderail.evaluation.checkers.checker import CannotCheck
from guiderail.evaluation.packages import parses
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.verdict import errors_in

ANSWER_S = 60.0


class AnalysedPython:
    """Errors by `ast.parse` and by a language server that runs in the project's environment.

    Parameters
    ----------
    analyser, trust
        The settings: its name, or "auto", and where it may run programs of the project.
    """

    def __init__(self, analyser: str = "auto", trust: str = "listed") -> None:
        self._pool = ServerPool(analyser, trust=trust)

    def errors(self, root: Path, path: str, text: str) -> list[str]:
        """See `Checker.errors`."""
        if not parses(text):
            return ["syntax error"]
        analyser = self._pool.get("python", root)
        for gone in self._pool.trim(()):  # all but the last projects' end
            gone.stop()
        if analyser is None:
            raise CannotCheck("no analyser")
        return self._asked(analyser, Question(root / path, "python", text, 0))

    def _asked(self, analyser: ServerAnalyser, question: Question) -> list[str]:
        try:
            found = analyser.ask(DIAGNOSTICS, question).result(ANSWER_S)
        except LateError as error:
            raise CannotCheck("late") from error
        except NoAnswer as error:
            raise CannotCheck(f"no answer: {error}") from error
        return [f"{one.code}: {one.message}" for one in errors_in(found)]

    def stop(self) -> None:
        """End the servers."""
        self._pool.stop()
