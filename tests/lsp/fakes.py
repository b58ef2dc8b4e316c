"""An engine whose answers are known, and whose speed the test decides."""

import threading
import time
from dataclasses import replace
from pathlib import Path

from guiderail.engine.completion import Completion
from guiderail.engine.engine import Cancelled
from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.engine.stream import TextStream
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.errors import GuiderailError
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.settings import Settings
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText, fit_text

BLANK = Suggestion("", 0, 0, 0.0, (), "line", "psm", Timings(0, 0, 0, 0, 0, 0))


class FakeEngine:
    """A `CompletionEngine` that writes `text`, one character a step.

    Attributes
    ----------
    asked
        The texts before the cursors of all completions that were begun.
    settings
        The settings of the same.
    by_hand
        Whether a person asked for the same, beyond doubt.
    odds
        What was learned of earlier suggestions when the same were begun.
    chance
        The probability of all suggestions.
    runs_code
        Whether the method runs the project's code: then a person must ask, else another one stands in.
    prepared, warmed
        The same of prompts that were encoded before a request, and of documents read when they were opened.
    changed
        The files that were written by others.
    unsaved
        By URI what open documents were last said to hold; None of what was saved or closed.
    loaded, forgotten
        The names of all models that were loaded, and the URIs of all documents that were closed.
    finder
        The analyser that finds the uses of names.
    steps
        Steps made, over all completions.
    gate
        Closed, a completion stays before its next step.
    stop_at
        The gate closes by itself before the step of this number.
    failure, load_failure
        Raised once by the next completion, and by the next load of a model.
    """

    def __init__(self, text: str = "hello()", step: float = 0.0) -> None:
        self.name = self.device = ""
        self.text, self.step = text, step
        self.asked: list[str] = []
        self.settings: list[Settings] = []
        self.by_hand: list[bool] = []
        self.odds: list[float] = []
        self.chance: float | None = None
        self.runs_code = False
        self.prepared: list[str] = []
        self.warmed: list[str] = []
        self.changed: list[Path] = []
        self.loaded: list[str] = []
        self.forgotten: list[str] = []
        self.unsaved: dict[str, str | None] = {}
        self.finder: Analyser | None = None
        self.steps = 0
        self.failure: BaseException | None = None
        self.load_failure: GuiderailError | None = None
        self.recovered = 0
        self.stop_at: int | None = None
        self._waits = False
        self.gate = threading.Event()
        self.gate.set()

    @property
    def is_held(self) -> bool:
        """Whether a completion stands before the closed gate."""
        return self._waits and not self.gate.is_set()

    def files_changed(self, *paths: Path) -> None:
        self.changed += paths

    def knows(self, folder: Path) -> bool:
        return folder.name == "known.folder"

    def reference_finder(self, request: CompletionRequest, *, start: bool = True) -> Analyser | None:
        return self.finder

    def load(self, settings: Settings) -> None:
        failure, self.load_failure = self.load_failure, None
        if failure is not None:
            raise failure
        self.loaded.append(settings.model)
        self.name, self.device = settings.model, "cpu"

    def unload(self) -> None:
        self.name = self.device = ""

    def recover(self) -> None:
        self.recovered += 1

    def release_memory(self) -> None:
        pass

    def stop_analysers(self) -> None:
        pass

    def edited(self, name: DocumentName, document: Document | None) -> None:
        self.unsaved[name[1]] = document.text if document else None

    def forget(self, name: DocumentName) -> None:
        self.forgotten.append(name[1])

    def complete(
        self, request: CompletionRequest, cancelled: Cancelled, stream: TextStream | None = None
    ) -> Completion:
        self.asked.append(request.before)
        self.settings.append(request.settings)
        self.by_hand.append(request.by_hand)
        self.odds.append(request.odds)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        text = self.text.replace("\n", request.document.line_ending)
        for count, character in enumerate(text):
            self._pass_gate()
            if cancelled():
                return Completion([replace(BLANK, text=text[:count], finish="cancelled")], is_whole=False)
            self.steps += 1
            time.sleep(self.step)
            if stream is not None:
                stream.add(character.encode())
        texts = [text, *(f"{text}{number}" for number in range(1, request.n))]
        stands_in = self.runs_code and not request.by_hand
        return Completion([replace(_fitted(request, one), chance=self.chance) for one in texts], is_stand_in=stands_in)

    def _pass_gate(self) -> None:
        if self.steps == self.stop_at:
            self.stop_at = None
            self.gate.clear()
        self._waits = True
        self.gate.wait(10)
        self._waits = False

    def prepare(self, request: CompletionRequest, cancelled: Cancelled) -> None:
        self.prepared.append(request.before)

    def warm(self, request: CompletionRequest, cancelled: Cancelled) -> None:
        self.warmed.append(request.before)


def _fitted(request: CompletionRequest, text: str) -> Suggestion:
    """A text as the engine fits it into its line."""
    shaped = fit_text(text, request.before.rpartition("\n")[2], request.after) or FittedText("")
    return replace(BLANK, text=shaped.text, start=request.offset, end=request.offset + shaped.covers, written=text)


def wish(
    before: str, after: str = "", uri: str = "untitled:1", wanted: int = 1, *, by_hand: bool = False
) -> CompletionRequest:
    return CompletionRequest(
        uri=uri,
        document=Document(before + after),
        offset=len(before),
        root=None,
        settings=Settings(),
        n=wanted,
        by_hand=by_hand,
    )
