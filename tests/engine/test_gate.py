"""Which suggestions are likely enough to be shown, and how much of each."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.choices import Confidence
from guiderail.engine.gate import LEAST, UNSURE, Gate
from guiderail.engine.likelihood import Facts, Likelihood, learned, likelihood_of, situation_at, word_ends
from guiderail.engine.suggestion import Step, Suggestion, Timings
from guiderail.monitors.change import Change
from guiderail.monitors.report import MonitorReport, TriggerOutcome
from guiderail.monitors.verdict import syntax_of
from guiderail.text.document import Document

TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)
BEFORE = "import os\n\n\ndef size(path):\n    "
PYTHON = Document(BEFORE + "\n\n\nprint(size('a'))\n", Path("app.py"), "python")
CHANCE = Likelihood(0.0, {"total": 1.0})  # half of what the model takes to be certain


def suggestion(text: str, *logprobs: float, document: Document = PYTHON, at: int = len(BEFORE)) -> Suggestion:
    """A text whose words and signs are a token each."""
    steps = tuple(map(Step, word_ends(text), logprobs or (0.0,) * len(word_ends(text))))
    return Suggestion(text, at, at, 0.0, (), "line", "psm", TIMINGS, written=text, steps=steps)


def sifted(one: Suggestion, confidence: Confidence = "balanced", document: Document = PYTHON) -> list[str]:
    return [other.text for other in Gate(CHANCE, confidence).sift(document, [one])[0]]


def test_a_text_is_shown_as_far_as_it_is_likely() -> None:
    """Up to the word before the first one that makes it too unlikely; nothing where the first one does."""
    assert sifted(suggestion("return path + 1")) == ["return path + 1"]
    assert sifted(suggestion("return path + 1", 0, 0, 0, -1)) == ["return path"]  # an operator wants something after it
    assert sifted(suggestion("return path + 1", 0, -1, 0, 0)) == ["return"]
    assert sifted(suggestion("return path + 1", -1, 0, 0, 0)) == []


def test_what_is_left_out_says_why() -> None:
    one = suggestion("return path", -9, 0)
    assert Gate(CHANCE, "balanced").sift(PYTHON, [one]) == ([], [replace(one, verdict=UNSURE)])
    assert str(UNSURE) == "it is not likely enough to be what you write next"


def test_the_only_legal_text_is_shown_however_unlikely() -> None:
    """After a call that takes nothing, say: `)`, and no more of the text than is likely."""
    report = MonitorReport("pyrefly", [TriggerOutcome("arguments", "os.getcwd(", legal=1, only=")")])
    document = Document("os.getcwd(\n", Path("app.py"), "python")
    one = replace(suggestion(").strip()", -9, document=document, at=10), monitored=report)
    assert sifted(one, "quiet", document) == [")"]
    assert sifted(replace(one, monitored=MonitorReport("pyrefly")), "quiet", document) == []
    likely = suggestion(").strip()", document=document, at=10)
    assert sifted(replace(likely, monitored=report), "balanced", document) == [").strip()"]


@given(st.lists(st.floats(-2, 0), min_size=7, max_size=7))
def test_the_more_confidence_is_wanted_the_less_is_shown(logprobs: list[float]) -> None:
    """A beginning of what is shown with less, or nothing; and never a syntax error that the whole does not have."""
    one = suggestion("return path + os.sep", *logprobs[: len(word_ends("return path + os.sep"))])
    shown = ["".join(sifted(one, confidence)) for confidence in ("off", "eager", "balanced", "quiet")]
    assert shown[0] == one.text
    assert all(more.startswith(less) for more, less in pairwise(shown))
    assert all(syntax_of(PYTHON, Change(len(BEFORE), len(BEFORE), text)) != "wrong" for text in shown)
    assert LEAST["off"] < LEAST["eager"] < LEAST["balanced"] < LEAST["quiet"]


def test_what_a_text_opens_it_closes() -> None:
    """With the brackets that come next, however likely; else it ends before them."""
    assert sifted(suggestion("append(path)", 0, 0, 0, -9)) == ["append(path)"]
    assert sifted(suggestion("append([path])", 0, 0, 0, 0, -9, 0)) == ["append([path])"]
    assert sifted(suggestion("append(path, 1)", 0, 0, 0, -9, 0, 0)) == ["append"]
    opened = Document("print(", Path("app.py"), "python")
    assert sifted(suggestion("path)", 0, -9, document=opened, at=6), document=opened) == ["path"]


def test_a_text_does_not_end_in_a_string_that_it_opens() -> None:
    """But in one that is open already it may end with any word."""
    assert sifted(suggestion("name = 'the size of'", 0, 0, 0, 0, -1, -1, 0)) == ["name"]
    inside = Document("name = 'the ", language="python")
    one = suggestion("size of it'", 0, 0, -1, 0, at=len(inside.text))
    assert sifted(one, document=inside) == ["size of"]


def test_texts_that_are_shortened_to_the_same_are_one() -> None:
    found = [suggestion("return path + 1", 0, 0, 0, -9), suggestion("return path * 2", 0, 0, 0, -9)]
    assert [one.text for one in Gate(CHANCE, "balanced").sift(PYTHON, found)[0]] == ["return path"]


def test_what_was_to_replace_text_after_the_cursor_leaves_it_there_when_shortened() -> None:
    document = Document("foo()\n", Path("app.py"), "python")
    one = replace(suggestion("path, other)", 0, 0, -9, 0, at=4), end=5)
    (shown,), _ = Gate(CHANCE, "balanced").sift(document, [one])
    assert (shown.text, shown.start, shown.end) == ("path", 4, 4)


@pytest.mark.parametrize("name", ["embedded", "general"])
def test_what_was_learned_names_facts_that_there_are(name: str) -> None:
    """A weight of a fact that nobody tells, or a fact without a weight, would be a mistake of the last training."""
    text = resources.files("guiderail.engine").joinpath("gates", f"{name}.json").read_text("utf-8")
    weights = json.loads(text)["weights"]
    facts = Facts(PYTHON, suggestion("return path")).of(6)
    places = {fact for fact in weights if fact.startswith("in ")}
    assert set(weights) - places == {fact for fact in facts if not fact.startswith("in ")}
    assert {fact for fact in facts if fact.startswith("in ")} < places
    assert all(map(math.isfinite, weights.values()))


@pytest.mark.parametrize("name", ["embedded", "general"])
def test_a_sure_text_is_likelier_than_an_unsure_one(name: str) -> None:
    sure, unsure = (Facts(PYTHON, suggestion("return path", *(each,) * 2)).of(11) for each in (-0.01, -2.0))
    assert learned(name)(sure) > 0.5 > learned(name)(unsure)


def test_a_model_without_a_table_has_the_general_one() -> None:
    assert likelihood_of("embedded", 11_000_000) is learned("embedded")
    assert likelihood_of("some/model", 500_000_000) is learned("general")


def test_of_a_model_that_is_smaller_than_any_that_was_learned_with_nothing_is_known() -> None:
    """All that it writes is shown."""
    assert likelihood_of("some/model", 1_000_000) is None


@pytest.mark.parametrize(
    ("language", "before", "place"),
    [
        ("python", "x = 1  # the wid", "comment"),
        ("python", "x = rb'wid", "string"),
        ("python", "from os impo", "import"),
        ("python", "def f():\n    ", "line start"),
        ("go", "x := a.b", "member"),
        ("rust", "let x = A::", "member"),
        ("c", "int x = a->b", "member"),
        ("java", "int wid", "word"),
        ("typescript", "const x = ", "code"),
        (None, "the wid", "word"),
    ],
)
def test_a_situation_is_told_by_what_is_before_the_cursor(language: str | None, before: str, place: str) -> None:
    assert situation_at(Document(before + "\nmore", language=language), len(before)) == place


def test_facts_are_of_the_text_up_to_an_end() -> None:
    """Of tokens those count that begin in it, the half-typed word's too; names count that the file has not."""
    document = Document("total = 1\nto", Path("app.py"), "python")
    one = suggestion("tal = other + 1", -0.1, -0.2, -0.3, -0.4, -0.5, document=document, at=len(document.text))
    facts = Facts(document, one)
    assert facts.of(3)["total"] == pytest.approx(-0.1) and facts.of(3)["new names"] == 0
    assert facts.of(4)["total"] == pytest.approx(-0.3)
    assert facts.of(11)["new names"] == 1 and facts.of(11)["whole"] == 0
    assert facts.of(len(one.text))["whole"] == facts.of(len(one.text))["ended"] == 1
    assert facts.of(5)["written before"] == 0 and facts.of(3)["half typed"] == pytest.approx(math.log(3))
    indented = replace(one, written="    " + one.text, steps=tuple(Step(s.end + 4, s.logprob) for s in one.steps))
    assert Facts(document, indented).of(3) == facts.of(3)


def test_a_long_file_is_looked_at_near_the_cursor_alone() -> None:
    """The same facts whatever is far away."""
    near = "def f(a):\n    return g(a)\n" * 2000
    short, long = (Document("x = 1\n" * size + near + "\n    re", language="text") for size in (1, 200_000))
    began = time.thread_time()
    found = [Facts(one, suggestion("turn g(a)", at=len(one.text))).of(9) for one in (short, long)]
    assert found[0] == found[1] and time.thread_time() - began < 2
