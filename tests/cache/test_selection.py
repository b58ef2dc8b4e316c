"""Which tokens a patch runs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.diff import diff
from guiderail.cache.selection import PIE, Effort, changed_roles, chosen, cursor_in, hunks
from tests.cache.scripts import edited, edits

# One token a word, space or line end; b"" are the marks.
WORDS = [b"", b"\n", b" ", b"=", b"old_name", b"new_name", b"other", b"filler", b"more", b"use"]
PREFIX, END, SPACE, EQUALS, OLD, NEW, OTHER, FILLER, MORE, USE = range(10)
LINE = [FILLER, SPACE, MORE, END]


def run(old: list[int], new: list[int], effort: Effort) -> set[int]:
    return chosen(old, new, diff(old, new), effort, WORDS)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.lists(edits, min_size=1, max_size=3))
def test_what_is_new_and_the_last_token_are_always_run(old: list[int], script) -> None:
    """Every effort runs the tokens between the blocks and the last one; none runs what does not exist."""
    new = old
    for edit in script:
        new = [token % 10 for token in edited(new, edit)]
    if not new:
        return
    blocks = diff(old, new)
    fresh = {i for hunk in hunks(blocks, len(old), len(new)) for i in range(hunk.new_start, hunk.new_end)}
    for effort in (PIE, Effort(halo=3, near=4, tail=5, uses=6)):
        picked = chosen(old, new, blocks, effort, WORDS)
        assert fresh | {len(new) - 1} <= picked <= set(range(len(new)))
    assert chosen(old, new, blocks, PIE, WORDS) == fresh | {len(new) - 1}


def test_uses_of_a_renamed_name_are_run() -> None:
    """After a rename the places that use the old or the new name are run, each with one token more."""
    body = LINE * 10
    new = [NEW, EQUALS, FILLER, END, *body, USE, SPACE, NEW, END, *body, OLD, SPACE, *body]
    old = [OLD, *new[1:]]
    picked = run(old, new, Effort(halo=0, near=0, tail=1, uses=4))
    first, second = 4 + len(body) + 2, 4 + 2 * len(body) + 4
    assert picked == {0, first, first + 1, second, second + 1, len(new) - 1}


def test_the_uses_nearest_to_the_cursor_come_first() -> None:
    """A budget that does not reach all uses is spent near the cursor."""
    new = [NEW, END, *LINE * 6, *[NEW, END, *LINE * 6] * 3]
    old = [OLD, *new[1:]]
    uses = [i for i, token in enumerate(new) if token == NEW][1:]
    assert run(old, new, Effort(halo=0, near=0, tail=1, uses=2)) == {0, uses[-1], uses[-1] + 1, len(new) - 1}


def test_other_names_of_a_changed_line_come_last() -> None:
    """When no name changed, the names in the changed line are what may have a new meaning."""
    new = [OTHER, EQUALS, SPACE, EQUALS, END, *LINE * 6, OTHER, END, *LINE * 6]
    old = [OTHER, EQUALS, EQUALS, END, *new[5:]]
    use = 5 + len(LINE) * 6
    assert use in run(old, new, Effort(halo=0, near=0, tail=1, uses=8))


def test_the_cursors_line_in_front_of_its_mark_is_run() -> None:
    """The tail holds the marks after the change and the lines that end in them, not what lies between."""
    front = LINE * 8
    new = [USE, *front, OTHER, SPACE, PREFIX, *LINE * 10, PREFIX]
    picked = run(new[1:], new, Effort(halo=0, near=0, tail=48, uses=0))
    mark = 1 + len(front) + 2
    assert {mark, mark - 1, mark - 2, len(new) - 1} <= picked
    assert not picked & set(range(mark + 1, len(new) - 1))
    assert not picked & set(range(1, mark - 3))


def test_the_cursor_is_in_front_of_the_last_mark_but_one() -> None:
    """A prompt that ends in a mark has its cursor at the mark before; another one at its end."""
    assert cursor_in([PREFIX, FILLER, PREFIX, FILLER, PREFIX], WORDS) == 2
    assert cursor_in([PREFIX, FILLER, PREFIX, FILLER], WORDS) == 4


def test_text_that_the_cursor_passed_is_counted() -> None:
    """Kept tokens whose last mark is another one than before are counted, and no others."""
    marks = [b"", b"", b"", *([b"x"] * 97)]
    text = list(range(3, 90))
    old, new = [0, *text[:20], 1, *text[20:], 2], [0, *text[:50], 1, *text[50:], 2]
    assert changed_roles(old, new, diff(old, new), marks) == 30
    assert changed_roles(old, [0, 99, *old[1:]], diff(old, [0, 99, *old[1:]]), marks) == 0
