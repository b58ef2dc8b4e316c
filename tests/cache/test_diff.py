"""The token diff."""

from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.diff import MOST_EDITS, NEAREST, Block, diff
from tests.cache.scripts import edited, edits

few = st.lists(st.integers(0, 4), max_size=40)


def longest_common(a: list[int], b: list[int]) -> int:
    """Length of the longest common subsequence, by the textbook recurrence."""
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], diagonal + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def assert_true_blocks(blocks: list[Block], old: list[int], new: list[int]) -> None:
    old_end = new_end = 0
    for block in blocks:
        assert block.length > 0
        assert block.old >= old_end
        assert block.new >= new_end
        assert old[block.old : block.old + block.length] == new[block.new : block.new + block.length]
        old_end, new_end = block.old + block.length, block.new + block.length


@settings(max_examples=300, deadline=None)
@given(few, few)
def test_no_choice_of_tokens_keeps_more(old: list[int], new: list[int]) -> None:
    """The blocks are in order in both sequences and together as long as the longest common subsequence."""
    blocks = diff(old, new, nearest=1)
    assert_true_blocks(blocks, old, new)
    assert sum(b.length for b in blocks) == longest_common(old, new)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=120), st.lists(edits, max_size=6))
def test_short_islands_are_given_up(old: list[int], script) -> None:
    """Between two changes nothing shorter than `NEAREST` is kept; what is kept stands in both."""
    new = old
    for edit in script:
        new = edited(new, edit)
    blocks = diff(old, new)
    assert_true_blocks(blocks, old, new)
    assert all(b.length >= NEAREST for b in blocks if b.new and b.new + b.length < len(new))


def test_a_large_change_is_aligned_at_what_stands_once() -> None:
    """Where the edits are too many for Myers, text around them that stands once in both is still kept."""
    old = list(range(3000))
    junk = [10_000 + i for i in range(MOST_EDITS)]
    new = [7777, *old[:500], *junk, *old[1500:2000], *junk[::-1], *old[2500:], 8888]
    kept = {(b.old, b.length) for b in diff(old, new)}
    assert {(0, 500), (1500, 500), (2500, 500)} <= kept


def test_a_moved_sentinel_costs_one_token_at_each_place() -> None:
    """Moving a mark through a text keeps all of the text, on both sides and in between."""
    text = list(range(100, 200))
    old = [1, *text[:30], 2, *text[30:], 3]
    new = [1, *text[:70], 2, *text[70:], 3]
    assert diff(old, new) == [Block(0, 0, 31), Block(32, 31, 40), Block(72, 72, 31)]
