"""A monitor at work in decoding, with an analyser whose answers are given."""

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraint import full_mask
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.vocabulary import Vocabulary
from guiderail.engine.completer import Completer, CompletionRequest, Suggestion
from guiderail.monitors.analysis.answers import Member, Members, NoAnswer
from guiderail.monitors.analysis.requests import Question, Request
from guiderail.monitors.dereference import UNIVERSAL
from guiderail.monitors.monitors import Monitors
from guiderail.text.document import Document
from tests.helpers.models import tiny_model

SOURCE = "import os\n\n\ndef size(path):\n    return os."


class Told:
    """An analyser whose answer is a function of the question; None never comes."""

    name = "told"

    def __init__(self, answer: Callable[[Question], Members | Exception | None]) -> None:
        self.questions: list[Question] = []
        self._answer = answer

    def get(self, language: str, folder: Path) -> "Told":
        """Be the only analyser."""
        return self

    def ask(self, request: Request[Any], question: Question) -> Future[Any]:
        self.questions.append(question)
        future: Future[Any] = Future()
        answer = self._answer(question)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future


def listing(*names: str) -> Members:
    return Members(tuple(Member(name) for name in names), complete=True)


def monitors(told: Told, deadline_s: float = 5.0) -> Monitors:
    return Monitors(Vocabulary(tiny_model("qwen3").tokenizer.token_bytes), told, deadline_s=deadline_s)


def complete(watching: Monitors | None, source: str = SOURCE, behind: str = "\n", **changes) -> list[Suggestion]:
    request = {"until": "tokens", "max_tokens": 16} | changes
    document = Document(source + behind, language="python")
    return Completer(tiny_model("qwen3")).complete(
        CompletionRequest(document=document, offset=len(source), monitors=watching, **request)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("source", [SOURCE, SOURCE + "pa", SOURCE + "path.jo"])
def test_only_legal_names_are_written(source: str, seed: int) -> None:
    """Behind the dot stands one of the names, whatever a random model would like, half-typed ones included."""
    names = ["path", "parent", "join"]
    legal = [*names, *UNIVERSAL]
    sampling = Sampling(temperature=2.0, seed=seed)
    (found,) = complete(monitors(Told(lambda _: listing(*names))), source, sampling=sampling)
    written = (source + found.text)[source.rindex(".") + 1 :]
    word = re.match(r"\w*", written)
    assert word is not None
    assert word[0] in legal or (word[0] == written and any(name.startswith(written) for name in legal))
    assert found.monitored is not None
    assert found.monitored.watches[0].legal == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: listing(), "unknown type"),
        (lambda _: Members((Member("path"),), complete=False), "incomplete"),
        (lambda _: NoAnswer("died"), "no answer: died"),
        (lambda _: None, "late"),
    ],
)
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0, seed=3)])
def test_a_monitor_that_abstains_changes_nothing(answer, reason: str, sampling: Sampling) -> None:
    """Tokens and scores are those of a request without monitors, bit for bit, and the reason is named."""
    (plain,) = complete(None, sampling=sampling)
    (watched,) = complete(monitors(Told(answer), deadline_s=0.01), sampling=sampling)
    assert (watched.token_ids, watched.score, watched.text) == (plain.token_ids, plain.score, plain.text)
    assert watched.monitored is not None
    assert watched.monitored.watches[0].abstained == reason


def test_a_monitor_that_allows_what_comes_changes_nothing() -> None:
    """If all that the model writes is legal, tokens and scores are those of a request without monitors."""
    (plain,) = complete(None, "x = 1\n", max_tokens=24)
    (watched,) = complete(monitors(Told(lambda _: listing("a"))), "x = 1\n", max_tokens=24)
    assert (watched.token_ids, watched.score) == (plain.token_ids, plain.score)


def test_several_suggestions_are_each_constrained() -> None:
    """Every suggestion of a request is what a request of its own would give."""
    told = Told(lambda _: listing("path", "getcwd", "sep"))
    several = complete(monitors(told), n=3)
    (single,) = complete(monitors(told))
    assert several[0].token_ids == single.token_ids
    assert all(one.monitored and one.monitored.watches[0].legal == 3 for one in several)


def test_a_late_answer_does_not_block() -> None:
    """Decoding waits for the deadline and no longer, once for each dereference."""
    began = time.perf_counter()
    complete(None)
    plain = time.perf_counter() - began
    (found,) = complete(monitors(Told(lambda _: None), deadline_s=0.1))
    assert found.monitored is not None
    waits = [watch.wait_s for watch in found.monitored.watches]
    assert all(wait < 0.2 for wait in waits)
    assert plain < 60


def test_the_question_shows_the_text_being_decoded() -> None:
    """The analyser sees the text up to the dot, what stands behind the cursor, and no half-typed name."""
    told = Told(lambda _: listing("path"))
    complete(monitors(told), "f(os.pa", "\nend = 1\n")
    assert told.questions[0].text == "f(os.)\nend = 1\n"
    assert told.questions[0].text[: told.questions[0].offset] == "f(os."


def test_nobody_is_asked_about_another_language() -> None:
    """A language without a syntax of ours, or without an analyser, decodes freely and reports nothing."""
    told = Told(lambda _: listing("path"))
    document = Document("os.", language="cobol")
    assert monitors(told).watch(document, 3) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.data())
def test_going_back_restores_the_mask(tokens: list[int], data: st.DataObject) -> None:
    """After any tokens, further ones and a rollback of them leave the masks as they were."""
    table = tiny_model("qwen3").tokenizer.token_bytes
    told = Told(lambda question: listing("path", f"at{question.offset}"))
    watch = monitors(told).watch(Document("os.\n", language="python"), 3)
    assert watch is not None
    monitor = watch()
    dots = [i for i, piece in enumerate(table) if b"." in piece]
    for token in tokens:
        before = full_mask(len(table))
        monitor.fill_mask(before)
        more = data.draw(st.lists(st.sampled_from([*dots, token]), max_size=3))
        for one in more:
            monitor.accept(one)
        monitor.rollback(len(more))
        after = full_mask(len(table))
        monitor.fill_mask(after)
        assert (before == after).all()
        monitor.accept(token)
