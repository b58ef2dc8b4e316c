"""A monitor at work: watches the text being decoded, asks an analyser ahead of need, and constrains what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from guiderail.decoding.identifiers import Names
from guiderail.monitors import dereference
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Members, NoAnswer
from guiderail.monitors.analysis.requests import MEMBERS, Question
from guiderail.monitors.dereference import Site
from guiderail.monitors.lexing import Place, place, unmatched_closers
from guiderail.text.document import Document

BEHIND_READ = 20_000  # characters behind the cursor that are searched for closing brackets
RECEIVER_SHOWN = 40  # characters in front of a dot that a report repeats


@dataclass(slots=True)
class Watch:
    """A dereference that was seen while decoding, and what came of it.

    Parameters
    ----------
    receiver
        What stands before the dot, the last characters of it.
    legal
        How many names the analyser knows; None if the monitor abstained.
    abstained
        Why it abstained; None if it did not.
    forbidden
        The tokens that the model would have written and that no legal name begins with.
    wait_s
        How long decoding waited for the analyser.
    """

    receiver: str
    legal: int | None = None
    abstained: str | None = None
    forbidden: list[str] = field(default_factory=list)
    wait_s: float = 0.0


@dataclass(slots=True)
class MonitorReport:
    """What the monitor did for one suggestion."""

    analyser: str
    watches: list[Watch] = field(default_factory=list)


class Scene:
    """Where decoding begins: seen once for all suggestions of a request.

    Parameters
    ----------
    document, offset
        The text and the cursor.
    path
        Where the analyser is to think that the file is.
    typed
        What stands in front of the cursor and is going to be decoded again (token healing).
    """

    def __init__(self, document: Document, offset: int, path: Path, typed: str = "") -> None:
        self.language = document.language or ""
        self.path = path
        self.typed = typed
        self.text = document.text[: offset - len(typed)]
        self.rest = document.text[offset:]
        self.tail = dereference.tail_of(self.rest)
        self.place = place(self.text, self.language)
        self.closed = unmatched_closers(self.rest[:BEHIND_READ], self.language)

    def site(self, written: str) -> tuple[Site, Place] | None:
        """The dereference that the text ends in, when `written` has been decoded."""
        text = self.text + written
        if not dereference.may_trigger(text):
            return None
        here = place(text, self.language, self.place)
        site = dereference.find_site(text, here, self.language)
        return (site, here) if site else None

    def question(self, written: str, site: Site, here: Place) -> Question:
        """What the analyser is to be asked about a dereference."""
        shown = dereference.shadow_text(self.text + written, site, here, self.rest, self.closed)
        return Question(self.path, self.language, shown, site.behind_dot)


class _Asked:
    """A question on its way, and the names once they are known."""

    def __init__(self, watch: Watch, site: Site, answer: Future[Members], until: float) -> None:
        self.watch = watch
        self.site = site
        self.names: Names | None = None
        self._answer = answer
        self._until = until

    def settle(self, make: Callable[[frozenset[str], bool], Names]) -> bool:
        """Wait for the answer, up to the deadline; whether it constrains."""
        if self.names is not None or self.watch.abstained:
            return self.names is not None
        began = time.perf_counter()
        try:
            members = self._answer.result(max(0.0, self._until - began))
        except (LateError, CancelledError):
            self.watch.abstained = "late"
        except NoAnswer as error:
            self.watch.abstained = f"no answer: {error}"
        else:
            names, self.watch.abstained = dereference.judge(members, self.site)
            if self.watch.abstained is None:
                self.names = make(names, self.site.may_define)
                self.watch.legal = len(members.items)
        self.watch.wait_s = time.perf_counter() - began
        return self.names is not None


class _Step(NamedTuple):
    """The state behind a token: the bytes decoded, the question at hand, and the bytes of its name."""

    written: bytes
    asked: _Asked | None
    name: bytes


class DereferenceMonitor:
    """The constraint that behind a dot only members come.

    Parameters
    ----------
    scene
        Where decoding begins.
    analyser
        Who knows the members.
    token_bytes
        The exact bytes of every id.
    make_names
        From legal names to masks, given also whether a new name may be defined, and the letters behind the cursor.
    deadline_s
        How long decoding may wait for an answer, from the moment it was asked for.
    """

    def __init__(
        self,
        scene: Scene,
        analyser: Analyser,
        token_bytes: Sequence[bytes],
        make_names: Callable[[frozenset[str], bool, str], Names],
        deadline_s: float,
    ) -> None:
        self.report = MonitorReport(analyser.name)
        self._scene = scene
        self._analyser = analyser
        self._token_bytes = token_bytes
        self._deadline_s = deadline_s
        self._make = lambda names, definable: make_names(names, definable, scene.tail)
        self._steps = [self._look(b"", scene.typed)]

    @property
    def is_satisfied(self) -> bool:
        """Whether anything may come next; waits for the analyser if its answer is needed now."""
        step = self._steps[-1]
        if step.asked is None or not step.asked.settle(self._make):
            return True
        assert step.asked.names is not None
        return step.asked.names.place(step.name) != "inside"

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Clear the bits of the tokens that lead to no member."""
        step = self._steps[-1]
        if step.asked is not None and step.asked.names is not None and not self.is_satisfied:
            bitmask &= step.asked.names.mask(step.name)

    def accept(self, token: int) -> None:
        """Move on by one token; a dot in it may ask the next question."""
        data = self._token_bytes[token]
        before = self._steps[-1]
        written = before.written + data
        if b"." in data:
            self._steps.append(self._look(written))
        else:
            self._steps.append(_Step(written, before.asked, before.name + data))

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._steps[-tokens:]

    def forbade(self, token: int) -> None:
        """Be told which token would have been written without this constraint."""
        asked = self._steps[-1].asked
        if asked is not None:
            asked.watch.forbidden.append(self._token_bytes[token].decode(errors="replace"))

    def _look(self, written: bytes, typed: str = "") -> _Step:
        """The state behind `written`: with a question, if a dereference begins in it.

        `typed` is what will certainly be written next.
        """
        text = _text_of(written)
        found = self._scene.site(text) if text is not None else None
        if text is None or found is None:
            return _Step(written, None, b"")
        site, here = found
        question = self._scene.question(text, site, here)
        watch = Watch(_receiver(question))
        self.report.watches.append(watch)
        if typed:
            site = Site(site.behind_dot, site.written + typed, site.may_define)
        until = time.perf_counter() + self._deadline_s
        asked = _Asked(watch, site, self._analyser.ask(MEMBERS, question), until)
        return _Step(written, asked, found[0].written.encode())


def _text_of(written: bytes) -> str | None:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return None


def _receiver(question: Question) -> str:
    line = question.text[: question.offset].splitlines()[-1].strip()
    return line[-RECEIVER_SHOWN:]
