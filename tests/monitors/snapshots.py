"""Snapshots and analysers for the tests of monitors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.analysis.servers import server_named
from guiderail.monitors.cursor_context import CursorContext, Snapshot
from guiderail.monitors.monitor import Monitor, Restriction
from guiderail.text.document import Document
from guiderail.text.language import language_of

FOLDER = Path("/project")


def snapshot(text: str, rest: str = "", language: str = "python", upcoming: str = "", root: Path = FOLDER) -> Snapshot:
    """A cursor after `text`, before which `upcoming` is going to be decoded again."""
    document = Document(text + upcoming + rest, language=language)
    return CursorContext(document, len(text + upcoming), root / "module.py", upcoming, root).snapshot()


class Told:
    """An analyser whose answer is a function of the question; None never comes."""

    name, python, trust = "told", "", "listed"

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.questions: list[Question] = []
        self._answer = answer

    def get(self, language: str, folder: Path) -> Told:
        """Be the only analyser."""
        return self

    def attend(self) -> None:
        pass

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


PYREFLY, TY = server_named("pyrefly"), server_named("ty")


@contextmanager
def project(root: Path, files: Mapping[str, str], server: Server) -> Iterator[ServerAnalyser]:
    """A real analyser on a folder with these files; skipped where it is not installed."""
    if server.find() is None:
        pytest.skip(f"{server.name} is not installed: {server.obtain}")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    analyser = ServerAnalyser(server, root)
    try:
        yield analyser
    finally:
        analyser.stop()


def restriction_of(
    monitor: Monitor, analyser: ServerAnalyser, text: str, rest: str = "\n", file: str = "module.py"
) -> Restriction:
    """What a monitor makes of a real analyser's answer after `text`."""
    document = Document(text + rest, language=language_of(file))
    trigger = monitor.trigger(CursorContext(document, len(text), analyser.root / file, root=analyser.root).snapshot())
    assert trigger is not None, text
    return trigger.interpret(trigger.ask(analyser).result(60))
