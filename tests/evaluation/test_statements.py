"""Statements of two releases are paired where most of them stayed the same."""

import pytest

from guiderail.evaluation.statements import StatementAlignment, statements
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document


def tree(text: str, language: str = "python") -> SourceTree:
    found = read(Document(text, language=language))
    assert found is not None
    return found


def became(before: str, after: str, word: str) -> str | None:
    """What the last of the same words of a text became."""
    token = StatementAlignment(tree(before), tree(after)).became(before.rindex(word))
    return token.text if token is not None else None


def test_a_compound_statement_is_its_head() -> None:
    """What is in its blocks is apart, in every language."""
    python = tree("class A:\n    def f(self):\n        return 1\n    x = 2\n")
    assert [" ".join(one.words) for one in statements(python)] == ["class A :", "def f ( self ) :", "return 1", "x = 2"]
    script = tree("class A { f() { return 1; } }", "typescript")
    heads = [" ".join(one.words) for one in statements(script)]
    assert [head for head in heads if len(head) > 1] == ["class A", "f ( )", "return 1 ;"]


@pytest.mark.parametrize(
    ("before", "after", "word", "wanted"),
    [
        ("a = 1\nx = load(path)\n", "x = read(path)\n", "load", "read"),
        ("x = load(path)\n", "b = 2\n\nx = load(path)\n", "load", "load"),
        ("x = load(path)\n", "x = load(\n    path,\n)\n", "load", "load"),
        ("x = load(path)\n", "with open(path) as file:\n    yield from file\n", "load", None),
        ("x = load(path)\n", "", "load", None),
        ("return_ = 1\n", "return_ = 2\n", "1", "2"),
    ],
    ids=["renamed", "moved down", "wrapped", "rewritten", "deleted", "another value"],
)
def test_a_token_is_followed_where_its_statement_stayed(before: str, after: str, word: str, wanted: str | None) -> None:
    assert became(before, after, word) == wanted


def test_an_unchanged_statement_is_known_as_such() -> None:
    text = "x = load(path)\ny = 1\n"
    alignment = StatementAlignment(tree(text), tree(text.replace("y = 1", "y = 2")))
    assert alignment.is_unchanged(text.index("load"))
    assert not alignment.is_unchanged(text.index("y"))
