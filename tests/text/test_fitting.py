"""Suggestions fitted into their line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text.fitting import FittedText, at_depth, fit_text


@pytest.mark.parametrize(
    ("before", "text", "after", "expected"),
    [
        ("print(", "x)", ")", FittedText("x")),  # the bracket stands there already
        ("print(", "f(x)", ")", FittedText("f(x)")),  # this one closes the suggestion's own
        ("print(", "f(x))", ")\n", FittedText("f(x)")),
        ("print(", "x) + 1", ")", FittedText("x) + 1", 1)),  # goes on after it: replaced
        ("a = [f(", "x), y]", ")]", FittedText("x), y]", 2)),
        ('print("', 'hello")', '")', FittedText("hello")),
        ('print("', 'hello"', '")', FittedText("hello")),
        ("print('", "it", "')", FittedText("it")),
        ("def f(", "x):", "):", FittedText("x")),
        ("call(\n", "    a,\n    b,\n)", ")", FittedText("    a,\n    b,\n")),
        ("x = ", "1", "\ny = 2\n", FittedText("1")),
        ("# don't ", "f(x)", ")", FittedText("f(x)")),
        ("x = {", "'a': (1, 2)}", "}", FittedText("'a': (1, 2)")),
        ("return ", "a + b", " + b", FittedText("a")),
        ("f(", 'x, "\\")")', ")", FittedText('x, "\\")"')),
        ("x = ", "   ", "", None),
        ("x = ", "", "", None),
        ("", "foo()", "foo()\n", None),  # only repeats what follows
        ("x = 1", "\ny = 2", "\ny = 2\n", None),
        ("print(", ")", ")", None),
        ("days = (7 - today.", "weekday())", "()) % 7\n", FittedText("weekday")),
        ("days = (7 - today.", "day) % 7", "()) % 7\n", FittedText("day")),
        ("f(", "a)", "[0])", FittedText("a")),
        ("def f() -> ", "dict[str, int]:", ":", FittedText("dict[str, int]")),  # a colon that stands there already
        ("x = [a, ", "b,", ",", FittedText("b")),
        ("x = ", "a.", ".b", FittedText("a")),
        ('print(f"hi {user[', "'name']}\")", ']}")', FittedText("'name'")),  # the code in a string has closers too
        ("log(`a ${", "b.c}`);", "}`);", FittedText("b.c")),
        ("log(`a ${", "b}, ${c}`)", "}`)", FittedText("b}, ${c")),
        ("f(", "a + b", " + b)", FittedText("a")),  # a part of what follows, up to a whole word
        ("f(", "x), y", "), y)", FittedText("x")),
        ("f(", "g(a)", "a)", FittedText("g(")),
        ("f(", "a + b", " + bc)", FittedText("a + b")),
        ('x = "{', 'a}"', '}"', FittedText("a")),
    ],
)
def test_what_stands_behind_the_cursor_is_not_written_twice(
    before: str, text: str, after: str, expected: FittedText | None
) -> None:
    """Closers that follow already are left out, or replaced when the suggestion goes on after them."""
    assert fit_text(text, before, after) == expected


PIECES = st.lists(st.sampled_from(["a", "b.", " ", "(", ")", "]", "{", "}", '"', "'", ":", "\n", "\\"]), max_size=14)
TEXTS = PIECES.map("".join)


@given(TEXTS, TEXTS.map(lambda text: text.replace("\n", "")), TEXTS)
def test_what_was_fitted_fits(text: str, before: str, after: str) -> None:
    """A fitted text is fitted to itself, unless nothing but what follows is left: who fits twice shows the same."""
    once = fit_text(text, before, after)
    if once is not None:
        twice = fit_text(once.text, before, after)
        assert twice is None or len(twice.text) <= len(once.text)
        if not once.covers and once.text == text:
            assert twice == once


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("    re", "turn x", "\n    return x\n"),  # with what was typed it is the next line
        ("    ", "return x", "\n\n    return x\n"),
        ("    x = 1", "\n\n    return x", "\n    return x\n"),
        ("x = (a, b", ")", "\n)\n"),
    ],
)
def test_a_line_that_only_repeats_the_next_one_is_none(before: str, text: str, after: str) -> None:
    assert fit_text(text, before, after) is None


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("    self.name = ", "name", "\n    name.strip()\n"),
        ("        ", "return None", "\n    return None\n"),  # of another depth
        ("    ", "}", "\n}\n"),
        ("x = ", "y", "\ny = 2\n"),
    ],
)
def test_a_text_that_the_next_line_begins_with_may_stand(before: str, text: str, after: str) -> None:
    assert fit_text(text, before, after) == FittedText(text)


def test_a_word_that_begins_a_longer_one_is_no_repetition() -> None:
    assert fit_text("data", "x = ", "\ndatabase()\n") == FittedText("data")


@pytest.mark.parametrize(
    ("text", "before", "above", "expected"),
    [
        ("    return 1", "    ", "    x = 1", "return 1"),
        ("    if x:\n            y\n        z", "    ", "    x = 1", "if x:\n        y\n    z"),
        ("    return 1", "    ", "    if x:", "    return 1"),  # the block's indentation is not finished
        ("    return 1", "    ", "    if x:  # pragma: no cover", "    return 1"),
        ("    return 1", "        ", "    if x:", "return 1"),
        ("\treturn 1", "\t", "\tx = 1", "return 1"),
        ("  b,", "  ", "f(", "b,"),
        (" 1", "x =", "y", " 1"),
        ("    return 1", "", "def f():", "    return 1"),
        ("    return 1", "", "    x = 1", "    return 1"),  # of the block above
        ("    return 1", "", "", "return 1"),  # an empty file has no block
        ("    if x:\n        y\n", "", "x = 1", "if x:\n    y\n"),
        ("   \n    x", "    ", "y", "   \n    x"),
    ],
)
def test_an_indentation_is_not_lengthened(text: str, before: str, above: str, expected: str) -> None:
    assert at_depth(text, before, above) == expected


@given(TEXTS, st.text(" \t", max_size=4), TEXTS.map(lambda text: text.replace("\n", "")))
def test_only_blanks_are_left_out_of_an_indentation(text: str, before: str, above: str) -> None:
    """The same words in the same lines; what begins with no blank stays as it is."""
    found = at_depth(text, before, above)
    assert [line.split() for line in found.split("\n")] == [line.split() for line in text.split("\n")]
    if text[:1] not in {" ", "\t"}:
        assert found == text
