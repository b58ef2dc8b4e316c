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


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=12), st.integers(0, 10**6))
def test_one_replaced_name_is_found(lines: list[str], number: int) -> None:
    """Whatever stands around it, and whatever else comes or goes on other lines."""
    line = number % len(lines)
    changed = [*lines]
    old = changed[line].partition(" ")[0]
    changed[line] = changed[line].replace(old, "renamed", 1)
    found = Alignment(tree("".join(lines)), tree("".join(changed))).renamed()
    assert {key: [one.text for one in tokens] for key, tokens in found.items()} == {(old, "renamed"): [old]}
    assert next(iter(found.values()))[0].start == len("".join(lines[:line]))


def test_equal_texts_are_the_same_tokens() -> None:
    text = tree("a = b\n")
    assert all(Alignment(text, text).became(one.start) == one for one in text.tokens)
    assert not Alignment(text, text).renamed()


def test_a_text_with_errors_has_no_tree() -> None:
    assert read(Document("def f(:\n", language="python")) is None
    assert read(Document("anything", language="plaintext")) is None
    assert read(Document("anything")) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def first(): ...\ndef second(): ...\n", "def second(): ...\ndef first(): ...\n"),
        ("def first(): ...\n", "def second(): ...\ndef first(): ...\n"),
        ("x = first(1)\n", "x = second.third\n"),
        ("class A(first): ...\n", "class A(metaclass=first): ...\n"),
    ],
    ids=["moved", "a new one before it", "another role", "a keyword"],
)
def test_what_is_still_there_or_has_another_role_was_not_renamed(before: str, after: str) -> None:
    assert ("first", "second") not in Alignment(tree(before), tree(after)).renamed()
    assert ("first", "metaclass") not in Alignment(tree(before), tree(after)).renamed()
