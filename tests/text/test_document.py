"""Laws of lines, columns and offsets."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.errors import UsageError
from guiderail.text.document import Document, PositionError

# Line ends, the characters that only str.splitlines takes for line ends, and characters outside the BMP.
TEXTS = st.text(st.sampled_from("ab \t\r\n\f\v\x1c\x85\u2028é𝔸👍"), max_size=60)


def lines_by_the_specification(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r", text)


@given(TEXTS)
def test_only_the_three_line_ends_of_lsp_end_a_line(text: str) -> None:
    document = Document(text)
    assert [document.line_text(line) for line in range(document.line_count)] == lines_by_the_specification(text)


@given(TEXTS)
def test_every_offset_outside_a_line_end_survives_the_way_to_a_position_and_back(text: str) -> None:
    document = Document(text)
    for offset in range(len(text) + 1):
        line, column = document.position_at(offset)
        inside = text[offset - 1 : offset + 1] == "\r\n" and offset > 0
        assert document.offset_at(line, column) == (offset - 1 if inside else offset)


@given(TEXTS)
def test_lines_and_their_ends_tile_the_text(text: str) -> None:
    document = Document(text)
    starts = [document.line_start(line) for line in range(document.line_count)]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    for line, start in enumerate(starts[:-1]):
        assert text[document.line_end(line) : starts[line + 1]] in {"\r\n", "\n", "\r"}
        assert start <= document.line_end(line)
    assert document.line_end(document.line_count - 1) == len(text)


def test_columns_count_code_points_not_utf_16_units() -> None:
    assert Document("μ👍x").offset_at(0, 2) == 2
    assert Document("a\n👍👍b").position_at(4) == (1, 2)


def test_a_position_outside_the_document_names_the_limit() -> None:
    document = Document("short\nline two")
    with pytest.raises(PositionError, match="line 2 has 8 columns"):
        document.offset_at(1, 9)
    with pytest.raises(PositionError, match="the document has 2 lines"):
        document.offset_at(2, 0)
    with pytest.raises(PositionError, match="the document has 14 characters"):
        document.position_at(15)
    with pytest.raises(PositionError):
        document.offset_at(0, -1)
    with pytest.raises(PositionError):
        document.line_start(-1)
    assert issubclass(PositionError, UsageError)


def test_line_starts_are_found_once_and_not_before_they_are_needed() -> None:
    document = Document("a\nb\nc")
    assert "line_starts" not in vars(document)
    document.position_at(3)
    first = vars(document)["line_starts"]
    document.offset_at(2, 1)
    assert vars(document)["line_starts"] is first


def test_ten_megabytes_have_the_right_last_line() -> None:
    line = "    value = compute(argument)  # some line\n"
    document = Document(line * (10_000_000 // len(line)))
    assert document.line_text(document.line_count - 2) + "\n" == line
    assert document.position_at(len(document.text)) == (document.line_count - 1, 0)
