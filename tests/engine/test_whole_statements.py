"""Where suggestions of several lines end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.engine.gate import Gate
from guiderail.engine.judging import Judge
from guiderail.engine.likelihood import Likelihood, word_ends
from guiderail.engine.suggestion import Step, Suggestion, Timings
from guiderail.engine.whole_statements import with_whole_statements
from guiderail.text.document import Document

TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)


def suggestion(text: str, before: str = "", finish: str = "length") -> Suggestion:
    steps = tuple(Step(end, 0.0) for end in word_ends(text))
    at = len(before)
    return Suggestion(text, at, at, 0.0, (), finish, "psm", TIMINGS, written=text, steps=steps)  # pyright: ignore[reportArgumentType]


CASES = [
    ("python", "a = 1\nb = two(3, fo", "a = 1"),
    ("python", "a = 1\nif a:\n", "a = 1"),
    ("python", "a = 1\nif a:\n    b = 2\n    c", "a = 1\nif a:\n    b = 2"),
    ("python", "a = 1\nb = two(\n    3,\n    4,", "a = 1"),
    ("python", "a = 1\nb = '''one\ntwo", "a = 1"),
    ("python", "a = 1\n@cached\ndef b", "a = 1"),
    ("python", "a = 1\n\n\ndef b():\n", "a = 1"),
    ("python", "two(\n    3,\n    fo", "two("),  # a line alone may end where it likes
    ("go", "a := 1\nif a > 0 {\n\tb := 2\n\tc", "a := 1"),
    ("typescript", "const a = 1;\nconst b = [\n  1,", "const a = 1;"),
]


@pytest.mark.parametrize(("language", "text", "whole"), CASES)
def test_a_text_that_was_cut_ends_with_its_last_whole_statement(language: str, text: str, whole: str) -> None:
    document = Document("\n", Path("app"), language)
    assert with_whole_statements(document, suggestion(text)).text == whole


@pytest.mark.parametrize("text", ["a = 1", "a = two(3, fo", "a = 1\nb = 2", "if a:\n    b = 2\nelse:\n    c = 3\n"])
def test_a_line_and_a_text_that_ends_by_itself_with_a_whole_statement_stay(text: str) -> None:
    finish = "line" if "\n" in text else "block"
    document = Document("\n", Path("app.py"), "python")
    one = suggestion(text, finish=finish)
    assert with_whole_statements(document, one) is one


def test_elements_of_the_brackets_around_the_cursor_are_whole() -> None:
    before = "names = [\n    "
    document = Document(f"{before}\n]\n", Path("app.py"), "python")
    assert with_whole_statements(document, suggestion("'a',\n    'b',\n    ('c', 'd", before)).text == "'a',\n    'b',"


@pytest.mark.parametrize(("language", "text", "whole"), CASES)
def test_that_is_what_is_shown(language: str, text: str, whole: str) -> None:
    """With the gate and without it; nothing of a text whose first line is a fault by itself."""
    document = Document("\n", Path("app"), language)
    shown = Judge(document, None, "sure", None).judge([suggestion(text)])[0]
    assert [one.text for one in shown] in ([whole], [])
    sure = Gate(Likelihood(9.0, {}), "quiet").sift(document, [suggestion(text)])[0]
    assert [one.text for one in sure] == [whole]


def test_lines_are_shown_as_far_as_they_are_likely_and_whole() -> None:
    """A word in the first line, and from there on nothing but whole statements."""
    text = "a = one()\nif a:\n    b = two(a)\n    c = three(b)"
    document = Document("\n", Path("app.py"), "python")
    shown = set()
    for sure in range(1, len(word_ends(text)) + 1):
        steps = tuple(Step(end, 0.0 if at < sure else -9.0) for at, end in enumerate(word_ends(text)))
        one = replace(suggestion(text, finish="block"), steps=steps)
        found, _ = Gate(Likelihood(0.0, {"total": 1.0}), "balanced").sift(document, [one])
        shown |= {other.text for other in found}
    longer = {one for one in shown if "\n" in one}
    assert longer == {"a = one()\nif a:\n    b = two(a)", text}
