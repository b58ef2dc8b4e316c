"""What a person is shown while typing, counted."""

from contextlib import closing
from pathlib import Path

import pytest

from guiderail.engine.request import CompletionRequest
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.evaluation.keystrokes import Cursor, draw
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.studies.shown import ALL, Plan, drawn, evaluate, rows
from guiderail.evaluation.worker import Row
from guiderail.settings import Settings

FILE = SourceFile("alpha", "code.py", "".join(f"value_{n} = other(value_{n - 1}, {n})\n" for n in range(60)))
ROOTS = {"alpha": Path("/alpha")}
TIMINGS = Timings(1, 0, 0.0, 0.0, 0.0, 0.0)


def answered(text: str, log: RowFile | None = None, count: int = 6) -> tuple[list[Row], list[CompletionRequest]]:
    """The rows where the same text is shown everywhere, and what was asked."""
    asked: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> list[Suggestion]:
        asked.append(request)
        shown = [Suggestion(text, request.offset, request.offset, 0.0, (), "line", "psm", TIMINGS)]
        return shown if text else []

    chosen = {"off": Settings(confidence="off"), "quiet": Settings(confidence="quiet")}
    return list(evaluate(answer, draw([FILE], count, 0), ROOTS, chosen, log)), asked


def test_every_setting_is_asked_at_every_cursor() -> None:
    found, asked = answered("x")
    assert [row["system"] for row in found] == ["off", "quiet"] * 6
    assert {one.settings.confidence for one in asked} == {"off", "quiet"}
    assert all(one.document.path == Path("/alpha/code.py") and one.root == ROOTS["alpha"] for one in asked)
    assert len(drawn({"alpha": [FILE]}, Plan(cursors=6))) == 6


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    """A run that was ended goes on where it ended."""
    with closing(RowFile(tmp_path / "rows.jsonl", {})) as log:
        first, asked = answered("x", log, count=4)
        assert len(asked) == 8
    with closing(RowFile(tmp_path / "rows.jsonl", {})) as log:
        again, asked = answered("x", log, count=6)
        assert len(asked) == 4 and again[: len(first)] == first


def test_silence_counts_as_nothing_shown() -> None:
    everything, *_ = rows(answered("")[0], "tiny", Plan())
    assert (everything["cursors"], everything["shown"], everything["right"], everything["saved"]) == (6, 0, None, 0)


def test_what_breaks_the_file_is_told_from_what_is_only_wrong() -> None:
    assert {row["breaks"] for row in answered(") = = (")[0]} == {True}
    assert {row["right"] or row["breaks"] for row in answered("\n")[0]} == {False}


def row(at: int, saved: int, reached: int, *, trace: str = "a", right: bool = True) -> Row:
    about = {"system": "off", "language": "go", "place": "code", "package": trace, "trace": trace, "typed": 40}
    return about | {
        "at": at,
        "shown": True,
        "right": right,
        "first": True,
        "breaks": False,
        "saved": saved,
        "reached": reached,
    }


def test_a_cursor_that_an_acceptance_has_gone_past_is_not_reached() -> None:
    """So no character is saved twice."""
    found = [row(5, 9, 15), row(10, 4, 15), row(15, 0, 15, right=False), row(20, 3, 24)]
    everything = next(one for one in rows(found, "tiny", Plan()) if one["where"] == ALL)
    assert everything["saved"] == pytest.approx(100 * 12 / 40)
    assert everything["right"] == 0.75


def test_there_is_a_row_for_all_for_each_language_and_for_each_place() -> None:
    """What is saved is not told of single places, since a trace goes through several."""
    made = rows([row(5, 9, 15), row(5, 0, 5, trace="b", right=False)], "tiny", Plan())
    assert [(one["where"], one["cursors"], one["saved"] is None) for one in made] == [
        (ALL, 2, False),
        ("go", 2, False),
        ("code", 2, True),
    ]
    assert made[0]["intervals"]["right"] == (0.0, 1.0)


def test_a_cursor_knows_where_it_is() -> None:
    cursor = Cursor("a", "a.py", "python", "t", "x = 1  # the\n", 12, " width\n", 12, 20)
    assert cursor.place == "comment"
