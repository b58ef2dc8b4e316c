"""The laws of putting a window of text into its file."""

import pytest

from guiderail.serve.window import Window
from tests.editors.shapes import SHAPES

FILE = "".join(f"def function_{number}(value):\n    return value * {number}\n\n\n" for number in range(40))
LINES = FILE.split("\n")


def window(first: int, line: int, column: int, last: int, lines: list[str] = LINES) -> Window:
    """The text from line `first` to line `last` around a cursor."""
    before = "\n".join([*lines[first:line], lines[line][:column]])
    return Window(before, "\n".join([lines[line][column:], *lines[line + 1 : last]]))


def whole(text: Window, file: str = FILE) -> str | None:
    """The editor's text, if the window is in the file."""
    placed = text.place(file)
    return placed and placed.head + text.before + text.after + placed.tail


@pytest.mark.parametrize(("first", "last"), [(0, len(LINES)), (0, 90), (30, len(LINES)), (30, 90), (41, 83)])
def test_an_unchanged_window_gives_the_file(first: int, last: int) -> None:
    """Wherever the window begins and ends, the text around it is the file's."""
    assert whole(window(first, 61, 10, last)) == FILE
    assert window(first, 61, 10, last).place(FILE).differing <= 1  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("cut", range(1, 12))
def test_the_window_may_begin_and_end_within_a_line(cut: int) -> None:
    """Clients that count characters cut lines in two."""
    text = window(32, 61, 4, 89)
    assert whole(Window(text.before[cut:], text.after[:-cut])) == FILE


def test_a_line_feed_at_the_end_that_the_client_adds_is_none_of_the_file() -> None:
    """Plug-ins end their window with a line feed, also after the last line."""
    text = window(30, 61, 10, 90)
    assert whole(Window(text.before, text.after + "\n")) == FILE


@pytest.mark.parametrize("typed", ["    return va", "", "    return value\n\n\ndef another(value):\n    ret"])
def test_what_was_typed_at_the_cursor_does_not_matter(typed: str) -> None:
    """The file on the disk lacks it."""
    text = window(20, 61, 0, 100, [*LINES[:61], "", *LINES[62:]])
    expected = "\n".join([*LINES[:61], typed, *LINES[62:]])
    assert whole(Window(text.before + typed, text.after)) == expected


@pytest.mark.parametrize("changed", [45, 59, 60, 62, 75])
def test_lines_may_differ_in_one_piece_around_the_cursor(changed: int) -> None:
    """The editor's lines count, and the window is put in the same place."""
    lines = [*LINES]
    lines[changed] = "    raise NotImplementedError"
    assert whole(window(20, 61, 10, 100, lines)) == "\n".join(lines)


@pytest.mark.parametrize("changed", [20, 22, 96, 98])
def test_far_from_the_cursor_they_may_not(changed: int) -> None:
    """It could be another file then, and where this one goes on outside would not be sure."""
    lines = [*LINES]
    lines[changed : changed + 1] = ["import os", "import sys"]
    assert whole(window(20, 61, 10, 100, lines)) is None


def test_a_similar_file_is_another_one() -> None:
    """One that was copied and has another name in several places, near the cursor and far from it."""
    text = SHAPES.rstrip("\n") + "."
    assert whole(Window(text, "\n"), SHAPES) == f"{text}\n"
    assert whole(Window(text.replace("Box", "Crate"), "\n"), SHAPES) is None
    assert whole(Window(text.replace("float", "int"), "\n"), SHAPES) is None


def test_new_lines_at_the_top_of_a_file_are_around_the_cursor_there() -> None:
    """Nothing above the cursor is in the file."""
    assert whole(Window("import os\nimport ", "\n" + FILE)) == "import os\nimport \n" + FILE
    before = "import os\nimport sys\n\n"
    assert whole(Window(before + "import re\nx", "\n" + FILE), before + FILE) == f"{before}import re\nx\n{FILE}"


def test_deleted_lines_stay_deleted() -> None:
    """What the editor has no more is not taken from the file again."""
    lines = [*LINES[:50], *LINES[58:]]
    assert whole(window(20, 49, 2, 90, lines)) == "\n".join(lines)


def test_another_text_is_not_put_into_a_file() -> None:
    """Neither one that has nothing in common with it, nor one that has a few lines, nor an empty one."""
    other = "import numpy\n\n\nclass Matrix:\n    pass\n"
    mixed = "\n".join([*LINES[:6], *(f"new_line_{number} = {number}" for number in range(20)), ""])
    for text in (Window(other, "\n"), Window(mixed, ""), Window("", ""), Window("\n\n  \n", "\n\n")):
        assert text.place(FILE) is None


def test_little_in_common_is_enough_for_a_whole_file_alone() -> None:
    """One line says nothing about a window of a long file, and something about a file of one line."""
    assert Window("import os\n\nos.", "\n").place("import os\n\n") is not None
    assert Window("\n\nx = os.", "\n").place(FILE) is None
    assert Window("pass\nx", "").place("pass\n") is None
    assert Window("import os\nx", "").place("import os\n" + FILE) is None


def test_parts_in_another_order_are_not_the_file() -> None:
    """The end of the window must come after its beginning."""
    assert Window("\n".join([*LINES[80:100], "x"]), "\n".join(["", *LINES[20:40], ""])).place(FILE) is None


def test_the_nearer_file_differs_less() -> None:
    """Of two files that hold the window, the one with fewer other lines is nearer."""
    text = window(0, 61, 10, len(LINES))
    near, far = text.place(FILE), text.place(FILE.replace("value * 7", "value + 7"))
    assert near is not None
    assert far is not None
    assert near.differing < far.differing


LICENCE = "".join(
    f"# Line {number} of the licence that is on top of every file of this project.\n" for number in range(9)
)
IMPORTS = "import dataclasses\nimport itertools\nimport collections.abc\n\n"


@pytest.mark.parametrize("after", ["", "\n", "\n\n\n", None])
@pytest.mark.parametrize(
    ("before", "file"),
    [
        (LICENCE + "\nx", LICENCE),  # a new text with the header of a file that has nothing else
        (LICENCE, LICENCE),
        (LICENCE + "\nx", LICENCE + "\n__all__ = []\n"),
        (LICENCE.replace("# ", "// ") + "\nx", LICENCE.replace("# ", "// ")),
        (f"/*\n{LICENCE.replace('# ', ' ')}*/\nx", f"/*\n{LICENCE.replace('# ', ' ')}*/\n"),
        (LICENCE + IMPORTS + "\nx", LICENCE + IMPORTS + FILE),  # one with its imports
        (LICENCE + IMPORTS + "import re\nx", LICENCE + IMPORTS + FILE),
        (FILE.replace("return value * 36", "return value - 36") + "x", FILE),  # a copy that was changed
        (FILE.replace("function_30", "other").replace("function_37", "another") + "x", FILE),
    ],
)
def test_where_nothing_follows_a_new_text_is_not_put_into_a_file(before: str, file: str, after: str | None) -> None:
    """It may be another one, with the same beginning."""
    assert Window(before, after or "", after is None).place(file) is None


@pytest.mark.parametrize("after", ["", "\n", None])
@pytest.mark.parametrize(
    ("typed", "saved"),
    [("x", ""), ("", ""), *(("y = 1\n\n\ndef more(value):\n    ret", saved) for saved in ("", "y"))],
)
def test_what_is_typed_at_the_end_of_a_file_is_put_there(typed: str, saved: str, after: str | None) -> None:
    """Also where its last line was saved half."""
    text = Window(FILE + typed, after or "", after is None)
    assert (whole(text, FILE + saved) or "").rstrip("\n") == (FILE + typed).rstrip("\n")


@pytest.mark.parametrize(
    ("line", "typed", "expected"),
    [
        (121, "    return va", ["    return va", *LINES[122:]]),  # of the line that is typed the end is the client's
        (122, "", ["", *LINES[123:]]),
        (122, "x = ", ["x = ", *LINES[123:]]),
        (121, "    ", ["    ", *LINES[121:]]),
        (121, LINES[121] + " + 1\n    x", [LINES[121] + " + 1", "    x", *LINES[122:]]),
    ],
)
def test_what_the_client_does_not_send_is_the_files(line: int, typed: str, expected: list[str]) -> None:
    """Without any text for after the cursor, the file goes on there: nothing was deleted."""
    for first in (0, 10):
        text = Window("\n".join([*LINES[first:line], typed]), "", is_open=True)
        assert whole(text) == "\n".join([*LINES[:line], *expected])


@pytest.mark.parametrize(
    "before",
    [
        "\n".join(LINES[:16]),  # a tenth, with which other files may begin too
        "\n".join([*LINES[:120], "def new(value):"]),  # before another line, or in its place
        "\n".join([*LINES[:119], "x = 1", "y = 2", "z"]),
        "\n".join(LINES[:130]).replace("value * 30", "value * 3"),
    ],
)
def test_where_that_is_not_sure_there_is_no_file(before: str) -> None:
    """What follows in the file is not taken for what follows in the editor then."""
    assert Window(before, "", is_open=True).place(FILE) is None
