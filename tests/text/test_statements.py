"""The rules of a growing text: cheap reading against reading anew."""

from __future__ import annotations

import argparse
import inspect
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.text.statements import LOOKBACK, UNSETTLED, Rule, Statements, keywords, opener, opening

LINES = inspect.getsource(textwrap).encode().splitlines(keepends=True)


def fresh(source: bytes) -> Statements:
    found = Statements("python")
    found.follow(source)
    return found


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(LINES)), min_size=2, max_size=6))
def test_following_edits_equals_reading_anew(cuts: list[int]) -> None:
    """A text that grows and shrinks has, on its unsettled lines, the rules of the text as it is now."""
    followed = Statements("python")
    for cut in cuts:
        source = b"".join(LINES[:cut])
        followed.follow(source)
        want = fresh(source)
        assert followed.in_text == want.in_text
        if not want.in_text:
            assert followed.rules[-UNSETTLED:] == want.rules[-UNSETTLED:]


def test_a_text_that_grows_line_by_line_has_the_rules_of_the_whole() -> None:
    """All keywords, and all but a few of the other rules: a construct that was open gets its kind too late for some."""
    lines = inspect.getsource(argparse).encode().splitlines(keepends=True)[:450]
    followed = Statements("python")
    for count in range(1, len(lines) + 1):
        followed.follow(b"".join(lines[:count]))
    want = fresh(b"".join(lines)).rules[1:]  # the first has nothing before it to turn from
    got = followed.rules[-len(want) :]
    assert len(want) > LOOKBACK // 2
    words = keywords("python")
    assert all(a == b for a, b in zip(got, want, strict=True) if b.kind in words)
    assert sum(a != b for a, b in zip(got, want, strict=True)) <= len(want) // 20


@given(st.lists(st.sampled_from([b"x = (", b"'''", b'"""', b"}", b"\n", b"  if x:\n", b"\xff", b"f(x)\n", b"#\n"])))
def test_any_text_has_rules(parts: list[bytes]) -> None:
    """Broken code, half a string, bytes that are no UTF-8: something is found, or nothing, but never an error."""
    found = Statements("python")
    for count in range(len(parts) + 1):
        found.follow(b"".join(parts[:count]) + b"\n")


@pytest.mark.parametrize(
    ("language", "source", "inside"),
    [
        ("python", 'x = """a\n', True),
        ("python", 'x = """a\'\'\'\n"""\n', False),
        ("java", "/* a\n", True),
        ("java", "/* a */ int x;\n", False),
        ("java", "int a; */\n", False),
    ],
)
def test_inside_a_text_of_several_lines(language: str, source: str, inside: bool) -> None:
    found = Statements(language)
    found.follow(source.encode())
    assert found.in_text is inside


def test_rules_of_python() -> None:
    """A keyword is its own rule, other statements have the kind of their node; the turn is the indentation's."""
    source = b"import a\nx = 1\nfor y in x:\n    f(y)\n    x += 1\nt = [\n    'a',\n    'b',\n]\n"
    assert fresh(source).rules == [
        Rule("import", "import", 0), Rule("assignment", "name", 0), Rule("for", "for", 0), Rule("call", "name", 1),
        Rule("augmented_assignment", "name", 0), Rule("assignment", "name", -1), Rule("string", "'", 1),
        Rule("string", "'", 0),
    ]  # fmt: skip


def test_openings() -> None:
    """Blanks and closing brackets are passed over; a tab is eight columns."""
    assert opening(b"\t} else {") == (8, b"else", 3)
    assert opening(b"    ") == (4, b"", 4)
    assert opening(b'  "a": 1') == (2, b'"', 2)
    assert [opener(word, "python") for word in (b"elif", b"x1", b"12", b"(", b"\xc3")] == [
        "elif",
        "name",
        "number",
        "(",
        "name",
    ]
