"""Which suggestions are shown once their verdicts are known."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.choices import VerdictUse
from guiderail.decoding.method import Finish
from guiderail.engine.judging import Judge
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.monitors.error_kinds import SURE
from guiderail.monitors.verdict import SYNTAX_ERROR, Change, Inspector, syntax_of
from guiderail.text.document import Document
from tests.helpers.diagnostics import Told, diagnostic, finds

BEFORE = "import os\n\n\ndef size(path):\n    "
AFTER = "\n\n\nprint(size('a'))\n"
PYTHON = Document(BEFORE + AFTER, Path("app.py"), "python")
PLAIN = Document(BEFORE + AFTER, language="text")  # which has no syntax of its own
WORDS = ("return", " ", "path", "(", ")", "=", ".", "1", "\n    ", "if", ":", "'")
TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)


def suggestion(text: str, finish: Finish = "line", covers: int = 0) -> Suggestion:
    return Suggestion(text, len(BEFORE), len(BEFORE) + covers, 0.0, (), finish, "psm", TIMINGS)


def judged(
    texts: list[str], use: VerdictUse, inspector: Inspector | None, document: Document = PLAIN, finish: Finish = "line"
) -> tuple[list[str], list[str]]:
    """The texts that are shown, and those that are dropped."""
    found = [suggestion(text, finish) for text in texts]
    shown, dropped = Judge(document, None, use, inspector).judge(found)
    return [one.text for one in shown], [one.text for one in dropped]


def wrong(text: str, code: str = "some-kind") -> Inspector:
    """Finds an error of a kind in files with a text."""
    return Inspector(Told(lambda shown: [diagnostic("no", code=code)] if BEFORE + text in shown else []), 5.0)


@pytest.mark.parametrize("use", ["sure", "mark"])
def test_what_brings_errors_comes_last(use: VerdictUse) -> None:
    """The others keep their order, and no text changes."""
    assert judged(["a", "b", "c"], use, wrong("a")) == (["b", "c", "a"], [])


def test_errors_of_sure_kinds_are_left_out() -> None:
    """And with `drop` those of all kinds."""
    sure = next(kind for kind in sorted(SURE) if kind != SYNTAX_ERROR)
    assert judged(["a", "b"], "sure", wrong("a", sure)) == (["b"], ["a"])
    assert judged(["a", "b"], "mark", wrong("a", sure)) == (["b", "a"], [])
    assert judged(["a", "b"], "drop", wrong("a")) == (["b"], ["a"])


@pytest.mark.parametrize("use", ["sure", "mark", "drop"])
def test_what_is_unknown_stays_where_it_is(use: VerdictUse) -> None:
    """A text that was cut, or an analyser that does not answer, changes nothing."""
    assert judged(["a", "b"], use, wrong("a"), finish="length") == (["a", "b"], [])
    assert judged(["a", "b"], use, Inspector(Told(lambda _: None), 0.01)) == (["a", "b"], [])
    assert judged(["return (", "b"], use, None, PYTHON, finish="length") == (["return (", "b"], [])


def test_off_and_a_cancelled_request_ask_nobody() -> None:
    told = finds("a")
    assert judged(["a"], "off", Inspector(told, 5.0)) == (["a"], [])
    found = [suggestion("a")]
    assert Judge(PLAIN, None, "drop", Inspector(told, 5.0)).judge(found, lambda: True) == (found, [])
    assert told.shown == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("return os.stat(path))", "return os.stat(path)"),
        ("return path path", "return path"),
        ("x = = 1", "x"),
        ("return os.stat(path)", "return os.stat(path)"),
        ("return os.stat(", "return os.stat("),  # it may go on in the next line
        ("if path:", "if path:"),
    ],
)
def test_of_a_text_with_a_syntax_error_its_longest_right_beginning_is_shown(text: str, shown: str) -> None:
    """Whether somebody can be asked or not; `mark` shows it as it is."""
    for inspector in (None, wrong("nothing")):
        assert judged([text], "sure", inspector, PYTHON) == ([shown], [])
    assert judged([text], "mark", None, PYTHON) == ([text], [])


def test_a_text_without_a_right_beginning_is_dropped() -> None:
    assert judged([") = 1"], "sure", None, PYTHON) == ([], [") = 1"])


def test_a_loop_that_ends_in_the_midst_of_brackets_is_cut_or_dropped() -> None:
    """A line may go on in the next one; what goes round in circles leads nowhere."""
    assert judged(["x = f(f(f("], "sure", None, PYTHON, "line") == (["x = f(f(f("], [])
    assert judged(["x = f(f(f("], "sure", None, PYTHON, "loop") == (["x = f"], [])
    assert judged(["(f((f("], "sure", None, PYTHON, "loop") == ([], ["(f((f("])


@given(st.lists(st.sampled_from(WORDS), max_size=8))
def test_nothing_with_a_syntax_error_is_shown(words: list[str]) -> None:
    """Whatever is written; what is shown is a beginning of it, and all of it where that is right."""
    text = "".join(words)
    shown, dropped = judged([text], "sure", None, PYTHON)
    assert len(shown) + len(dropped) == 1
    for one in shown:
        assert text.startswith(one)
        assert syntax_of(PYTHON, Change(len(BEFORE), len(BEFORE), one)) != "wrong"
    if syntax_of(PYTHON, Change(len(BEFORE), len(BEFORE), text)) != "wrong":
        assert shown == [text]
