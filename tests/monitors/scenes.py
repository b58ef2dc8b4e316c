"""Scenes and analysers for the tests of monitors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.scene import Scene, View
from guiderail.text.document import Document

FOLDER = Path("/project")


def view(text: str, rest: str = "", language: str = "python", ahead: str = "", root: Path = FOLDER) -> View:
    """A cursor behind `text`, in front of which `ahead` is going to be decoded again."""
    document = Document(text + ahead + rest, language=language)
    return Scene(document, len(text + ahead), root / "module.py", ahead, root).view()


class Told:
    """An analyser whose answer is a function of the question; None never comes."""

    name = "told"

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.questions: list[Question] = []
        self._answer = answer

    def get(self, language: str, folder: Path) -> Told:
        """Be the only analyser."""
        return self

    def ask(self, request: Request[Any], question: Question) -> Future[Any]:
        """See `Analyser.ask`."""
        self.questions.append(question)
        future: Future[Any] = Future()
        answer = self._answer(question)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future


def listing(*names: str) -> Members:
    """An answer of these names, which are all."""
    return Members(tuple(Member(name) for name in names), complete=True)
