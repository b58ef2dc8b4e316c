"""Tokens of a text are found again in a later one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document

NAMES = ["alpha", "beta", "gamma", "größe"]
LINES = [f"{a} = {b}({c})\n" for a in NAMES for b in NAMES for c in NAMES]


def tree(text: str) -> SourceTree:
    found = read(Document(text, language="python"))
    assert found is not None
    return found


@given(st.lists(st.sampled_from(LINES), max_size=12), st.lists(st.sampled_from(LINES), max_size=12))
def test_what_a_token_became_is_a_token_in_order(before: list[str], after: list[str]) -> None:
    """No two tokens become the same, and none overtakes another."""
    old, new = tree("".join(before)), tree("".join(after))
    alignment = Alignment(old, new)
    starts = [token.start for one in old.tokens if (token := alignment.became(one.start)) is not None]
    assert starts == sorted(set(starts))
    assert {token.start for token in new.tokens}.issuperset(starts)


def test_equal_texts_are_the_same_tokens() -> None:
    text = tree("a = b\n")
    alignment = Alignment(text, text)
    assert all(alignment.became(one.start) == one for one in text.tokens)
    assert alignment.is_unchanged(0, len(text.document.text))


@pytest.mark.parametrize(
    ("before", "after", "unchanged"),
    [
        ("f(1, 2)\n", "f(1, 2)\n", True),
        ("f(1, 2)\n", "x = 0\nf( 1,\n  2)\n", True),
        ("f(1, 2)\n", "f(2, 1)\n", False),
        ("f(1, 2)\n", "f(1)\n", False),
        ("f(1)\n", "f(1, 2)\n", False),
        ("", "f(1)\n", False),
    ],
)
def test_a_call_that_was_adapted_is_told_from_one_that_was_not(before: str, after: str, unchanged: bool) -> None:
    assert Alignment(tree(before), tree(after)).is_unchanged(after.index("f("), len(after)) == unchanged


def test_a_text_with_errors_has_no_tree() -> None:
    assert read(Document("def f(:\n", language="python")) is None
    assert read(Document("anything", language="plaintext")) is None
    assert read(Document("anything")) is None
