"""Hand-made cursors, and what a program can see of what is suggested there."""

from collections import Counter
from pathlib import Path

import pytest

from guiderail.decoding.method import Finish
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.errors import UsageError
from guiderail.evaluation.manifest import datasets_folder
from guiderail.evaluation.scoring import is_valid
from guiderail.evaluation.studies.cursors import MARK, HandMade, notes, read_cursors, rows, wanted
from guiderail.text.document import Document

TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)


def suggested(cursor: HandMade, text: str, covers: int = 0, finish: Finish = "line") -> Suggestion:
    return Suggestion(text, cursor.offset, cursor.offset + covers, 0.0, (), finish, "psm", TIMINGS)


def test_the_cursors_that_come_with_guiderail_are_many_and_each_in_a_file_of_its_own() -> None:
    cursors = read_cursors()
    assert len(cursors) >= 20
    assert len({one.name for one in cursors}) == len({one.document.path for one in cursors}) == len(cursors)
    assert all(one.document.language for one in cursors)
    assert all(MARK not in one.document.text and 0 < one.offset <= len(one.document.text) for one in cursors)


@pytest.mark.parametrize(
    "text",
    ["", "cursor = 1", "[[cursor]]\nname = 'a'\npath = 'a.py'\ntext = 'none'", "[[cursor]]\nname = 'a'", "[["],
)
def test_a_file_that_is_no_list_of_cursors_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.toml is no list of cursors"):
        read_cursors(file)


def test_a_row_says_whether_the_file_with_the_suggestion_parses() -> None:
    """What the suggestion replaces is not in that file; no suggestion at all is an empty one."""
    cursor = HandMade("call", Document("print()\n", Path("a.py"), "python"), 6)
    for found, parses in ((suggested(cursor, "x) + f(y)", 1), True), (suggested(cursor, "x) + f(y)"), False)):
        (row,) = rows([cursor], lambda _, found=found: found)
        assert (row["parses"], row["replaced"]) == (parses, found.end - found.start)
    (row,) = rows([cursor], lambda _: None)
    assert (row["suggestion"], row["finish"], row["notes"]) == ("", None, ["nothing"])


@pytest.mark.parametrize(
    ("before", "text", "after", "noted"),
    [
        ("f(", "x", ")\n", []),
        ("f(", "x)", ")\n", ["repeats what follows in the line"]),
        ("    ", "    x", "\n", ["begins with blanks"]),
        ("    ", "return x", "\n    return x\n", ["repeats the next line"]),
        ("{", "}", "\n}", []),
        ("", " ", "\n", ["nothing", "begins with blanks"]),
        ("", "x\n```", "\n", ["fence"]),
    ],
)
def test_what_is_odd_is_noted(before: str, text: str, after: str, noted: list[str]) -> None:
    assert notes(Document(before + after), len(before), text) == noted


def test_the_half_typed_lines_are_forty_in_four_languages() -> None:
    """Each with what a person would want, which the file has not there; the whole line is one of the answers."""
    lines = read_cursors(datasets_folder() / "lines.toml")
    assert Counter(one.document.language for one in lines) == dict.fromkeys(("python", "typescript", "go", "java"), 10)
    for one in lines:
        whole = one.document.text[: one.offset] + one.wants[0] + one.document.text[one.offset :]
        assert is_valid(whole, one.document.language or "")
        assert one.document.text[one.offset] == "\n" and all(want.strip() for want in one.wants)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("os.path", "whole"),
        ("os.path ", "whole"),
        ("sys", "whole"),
        ("os", "part"),
        ("os.name", "word"),
        ("system", "no"),
        ("", "nothing"),
    ],
)
def test_how_much_of_a_text_is_wanted(text: str, how: str) -> None:
    assert wanted(text, ("os.path", "sys")) == how
    assert wanted(text, ()) is None
