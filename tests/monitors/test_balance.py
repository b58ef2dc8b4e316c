"""Brackets and quotes of a change that go with the rest of its line, or do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.monitors.balance import unbalances
from guiderail.monitors.change import Change
from guiderail.text.document import Document
from guiderail.text.languages.table import LEXICONS

WHOLE = {  # lines that leave nothing open, in every language with strings by "
    "python": 'x = f("a", [1])\n',
    "typescript": 'x = f("a", [1]); /* ( */\n',
    "java": 'x = f("a", y[1]); // (\n',
    "go": 'x := f("a", y[1]) // )\n',
    "rust": 'let x = f("a", &[1]); // "\n',
    "c": 'x = f("a", y[1]); /* " */\n',
}
PIECES = st.lists(st.sampled_from(["a", "(", ")", "[", "]", "{", "}", '"', "'", " ", "\\", "#", "//"]), max_size=8)


def unbalanced(language: str, text: str, written: str, above: str = "") -> bool:
    """Of a text with the cursor at `|`."""
    before, after = text.split("|")
    document = Document(above + before + after, Path(f"file.{language}"), language)
    at = len(above + before)
    return unbalances(document, Change(at, at, written))


@pytest.mark.parametrize("language", WHOLE)
@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("f(|)", "x", False),
        ("f(|)", "x)", True),
        ("f(|)", "(x", True),
        ("f(a[|])", "0", False),
        ("f(a[|])", "0)", True),
        ('f("|")', "x", False),
        ('f("|")', 'x"', True),
        ("f(|", "x))", False),  # all may still come
        ("f(\n    |, b\n)", "a", False),
        ("f(\n    |, b\n)", "a)", True),
    ],
)
def test_what_the_rest_of_the_line_has_no_partner_for_is_found(
    language: str, text: str, written: str, expected: bool
) -> None:
    """The same in every language, whatever is closed above."""
    assert unbalanced(language, text, written) == expected
    assert unbalanced(language, text, written, WHOLE[language] * 3) == expected


@pytest.mark.parametrize(("language", "mark"), [("python", "#"), ("java", "//"), ("c", "//"), ("go", "//")])
def test_code_may_not_become_a_comment(language: str, mark: str) -> None:
    """Unless it is one already, or the mark is in a string."""
    assert unbalanced(language, "f(|)", f"x {mark} y")
    assert not unbalanced(language, f"{mark} f(|)", f"x {mark} y")
    assert not unbalanced(language, 'f("|")', f"x {mark} y")


@given(st.sampled_from(sorted(WHOLE)), PIECES, PIECES, PIECES)
def test_what_is_whole_above_changes_nothing(
    language: str, before: list[str], written: list[str], after: list[str]
) -> None:
    """Only what is open before the cursor counts, in whatever line it was opened."""
    text = "".join(before) + "|" + "".join(after)
    alone = unbalanced(language, text, "".join(written))
    assert unbalanced(language, text, "".join(written), WHOLE[language] * 2) == alone


@pytest.mark.parametrize("language", WHOLE)
def test_the_lines_hold_what_they_are_said_to(language: str) -> None:
    assert language in LEXICONS and not unbalanced(language, f"|{WHOLE[language]}", "")
