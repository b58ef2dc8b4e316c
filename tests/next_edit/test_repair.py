"""A new error next to the cursor is written anew, and shown only if the file is better with it."""

from __future__ import annotations

import re

import pytest

from guiderail.monitors.analysis.answers import Diagnostic
from guiderail.next_edit.repair import repair
from guiderail.text.document import Document

KNOWN = {"box", "width", "height", "print", "f", "x", "y", "a", "b", "ok"}


def diagnose(document: Document) -> list[Diagnostic]:
    """Each word that is not known is an error; of a member the analyser marks what it is a member of too."""
    return [
        Diagnostic(found.start(), found.end(), "error", "unknown", f"no {found[2]}")
        for found in re.finditer(r"(\w+\.)?([^\W\d]\w*)", document.text) if found[2] not in KNOWN
    ]  # fmt: skip


def repaired(before: str, after: str, cursor: int, *written: str) -> str | None:
    """A text after the edit that mends it."""
    old, new = Document(before, language="python"), Document(after, language="python")
    found = repair(diagnose, old, new, cursor, lambda *_: written)
    return found.edit.apply(after) if found else None


@pytest.mark.parametrize(
    ("after", "written", "wanted"),
    [
        ("x = 1\nprint(box.widht)\n", "width)", "print(box.width)"),
        ("x = 1\nprint(box.widht)\n", "width * 2, 3)", "print(box.width)"),
        ("x = 1\nprint(hieght)\n", "box.height)", "print(box.height)"),
        ("x = 1\nprint(wrong + 1)\n", "f(x, y)", "print(f(x, y) + 1)"),
        ("x = 1\nprint(a, wrong)\n", "b)\nprint(2)", "print(a, b)"),
    ],
)
def test_what_is_wrong_is_written_anew(after: str, written: str, wanted: str) -> None:
    """That alone, by one expression, the shortest that will do."""
    assert repaired("x = 1\n", after, 0, written) == f"x = 1\n{wanted}\n"


@pytest.mark.parametrize("written", ["", ")", "widht)", "unknown)", "a b)", "# ok", "a + )", "wrong)"])
def test_what_is_no_better_is_not_shown(written: str) -> None:
    """Not one expression, or another error."""
    assert repaired("x = 1\n", "x = 1\nprint(wrong)\n", 0, written) is None


def test_only_new_errors_near_the_cursor_and_not_at_it() -> None:
    after = "x = 1\nprint(wrong)\n"
    assert repaired(after, f"{after}y = 2\n", 0, "a)") is None  # it was there before
    assert repaired("x = 1\n", after, after.index("wrong") + 5, "a)") is None  # it is being typed
    assert repaired("", "\n" * 9 + after, 0, "a)") is None  # it is far
    assert repaired("x = 1\n", after, 0, "a)") is not None


def test_an_edit_that_brings_another_error_is_not_shown() -> None:
    assert repaired("x = 1\n", "x = 1\nprint(wrong, worse)\n", 0, "other)") is None


def test_the_first_text_that_mends_it_is_taken() -> None:
    assert repaired("x = 1\n", "x = 1\nprint(wrong)\n", 0, "unknown)", "a)", "b)") == "x = 1\nprint(a)\n"
