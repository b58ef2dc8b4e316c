"""Laws of the stretch of a document that goes into a prompt."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guiderail.prompt.window import SNAP, Window, choose_window
from guiderail.text.document import Document

TEXTS = st.text(st.sampled_from("ab \n\r\f\u2028👍"), max_size=120)


def quarter(text: str) -> int:
    return -(-len(text) // 4)


def words(text: str) -> int:
    return len(text.split()) + text.count("\n")


COUNTS = st.sampled_from([len, quarter, words])


def long_file(lines: int = 1000) -> Document:
    return Document("".join(f"    value_{number:04} = compute({number:04})\n" for number in range(lines)))


def window(document: Document, offset: int, budget: int, count=len, with_suffix: bool = True) -> Window:
    return choose_window(document, offset, typed=0, budget=budget, count=count, with_suffix=with_suffix)


@given(TEXTS, st.data(), st.integers(1, 150), COUNTS)
def test_a_window_fits_the_budget_and_holds_the_whole_line_if_that_fits(text, data, budget, count) -> None:
    offset = data.draw(st.integers(0, len(text)))
    document = Document(text)
    chosen = window(document, offset, budget, count)
    assert 0 <= chosen.start <= offset <= chosen.stop <= len(text)
    assert count(text[chosen.start : offset]) + count(text[offset : chosen.stop]) <= budget
    line, _ = document.position_at(offset)
    start, end = document.line_start(line), document.line_end(line)
    if count(text[start:offset]) + count(text[offset:end]) <= budget:
        assert chosen.start <= start
        assert end <= chosen.stop or offset > end


@given(TEXTS, st.data(), st.integers(1, 150), COUNTS)
def test_a_document_that_fits_is_whole(text, data, budget, count) -> None:
    offset = data.draw(st.integers(0, len(text)))
    if len(text) <= 6 * budget and count(text[:offset]) + count(text[offset:]) <= budget:
        assert window(Document(text), offset, budget, count) == Window(0, len(text))


@given(st.integers(0, 999), st.integers(100, 30_000))
def test_windows_begin_and_end_at_line_starts(line: int, budget: int) -> None:
    document = long_file()
    chosen = window(document, document.line_start(line) + 5, budget)
    starts = {document.line_start(number) for number in range(document.line_count)}
    assert chosen.start in starts
    assert chosen.stop in starts | {len(document.text), document.line_end(line)}


def test_moving_down_a_line_changes_the_start_only_at_snap_points() -> None:
    document = long_file()
    budget = 300 * 10  # about 300 lines
    starts = [window(document, document.line_start(line), budget, quarter).start for line in range(1000)]
    places = [document.position_at(start)[0] for start in starts]
    assert places == sorted(places)
    assert {place % SNAP for place in places[:-1]} == {0}
    changes = sum(before != after for before, after in pairwise(places))
    assert 0 < changes <= 1000 / SNAP


def test_typing_in_a_line_moves_neither_end_more_than_once() -> None:
    lines = long_file().text.split("\n")
    seen = set()
    for typed in range(30):
        text = "\n".join([*lines[:500], "x" * typed, *lines[500:]])
        document = Document(text)
        chosen = window(document, document.offset_at(500, typed), 4000, quarter)
        seen.add((chosen.start, document.position_at(chosen.stop)))
    assert len(seen) <= 2


def test_three_quarters_go_to_the_prefix_and_what_one_side_leaves_goes_to_the_other() -> None:
    document = long_file()
    size = len(document.line_text(0)) + 1
    budget = 400 * size

    def sizes(line: int) -> tuple[float, float]:
        offset = document.line_start(line)
        chosen = window(document, offset, budget)
        return (offset - chosen.start) / budget, (chosen.stop - offset) / budget

    before, after = sizes(500)
    assert 0.75 - SNAP / 400 <= before <= 0.75
    assert 0.25 - SNAP / 400 <= after <= 0.25
    assert sizes(10)[1] > 0.8  # at the top the suffix takes what the prefix cannot use
    assert sizes(990)[0] > 0.8


def test_without_a_suffix_the_window_ends_at_the_cursor() -> None:
    document = long_file()
    offset = document.line_start(500) + 7
    assert window(document, offset, 8000, with_suffix=False).stop == offset


def test_half_typed_characters_cost_nothing() -> None:
    document = Document("before\nabcdef")
    chosen = choose_window(document, 13, typed=6, budget=7, count=len, with_suffix=True)
    assert chosen == Window(0, 13)


def test_an_endless_line_is_cut_around_the_cursor_and_never_counted_whole() -> None:
    document = Document("x" * 5_000_000)
    counted = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text)

    chosen = window(document, 2_500_000, 100, count)
    assert (chosen.start, chosen.stop) == (2_500_000 - 75, 2_500_000 + 25)
    assert max(counted) <= 64 * 100
    assert len(counted) < 100


def test_lines_far_away_are_not_counted() -> None:
    document = long_file(100_000)
    counted = []

    def count(text: str) -> int:
        counted.append(text)
        return quarter(text)

    window(document, document.line_start(50_000), 2000, count)
    assert len(counted) < 500
