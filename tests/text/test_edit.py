"""Laws of edits and of the smallest edit between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.text.edit import Edit, diff

TEXTS = st.text(st.sampled_from("ab\n\r👍"), max_size=12)


@given(TEXTS, TEXTS)
def test_applying_the_difference_gives_the_new_text(old: str, new: str) -> None:
    assert diff(old, new).apply(old) == new


@given(TEXTS, TEXTS)
def test_no_single_replaced_range_is_smaller(old: str, new: str) -> None:
    edit = diff(old, new)
    smallest = min(
        end - start
        for start in range(len(old) + 1)
        for end in range(start, len(old) + 1)
        if new.startswith(old[:start]) and new.endswith(old[end:]) and start + len(old) - end <= len(new)
    )
    assert edit.end - edit.start == smallest
    assert len(edit.text) - smallest == len(new) - len(old)


@given(TEXTS)
def test_equal_texts_differ_by_an_empty_edit(text: str) -> None:
    edit = diff(text, text)
    assert (edit.end - edit.start, edit.text) == (0, "")


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_an_edit_replaces_exactly_its_range(head: str, gone: str, come: str, tail: str) -> None:
    edit = Edit(len(head), len(head) + len(gone), come)
    assert edit.apply(head + gone + tail) == head + come + tail


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="0 <= start <= end"):
        Edit(3, 2, "")
    with pytest.raises(ValueError, match="edit ends at 9"):
        Edit(0, 9, "").apply("short")
