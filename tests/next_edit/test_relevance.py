"""Changes without consequences are told by what was typed; all others are looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.renames import renames
from guiderail.next_edit.signatures import signature_changes
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document

FIELDS = "@dataclass\nclass D:\n    x: int\n"
PARTS = [
    FIELDS,
    FIELDS + "    y: int\n",
    "def f(a, b=1):\n    return a\n",
    "def größe(): ...\n",
    "class A:\n    x = 1\n",
    "x = f(1)\n",
    "\n",
    "# é\n",
]


def tree(text: str, language: str = "python") -> SourceTree:
    found = read(Document(text, language=language))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\n", "x = 1\ny = f(2)\n"),
        ("def f():\n    return\n", "def f():\n    x = 1\n    return\n"),
        ("f()\n", "f(1)\n"),
        ("f(1)\n", "f(1, 'ü')\n"),
        ("x = 1\n", "x = 1  # one\n"),
        ("x = (1)\n", "x = 1\n".replace("1", "(1)")),
    ],
)
def test_a_line_or_an_argument_more_needs_no_look(before: str, after: str) -> None:
    """Not even the tokens are read."""
    old, new = tree(before), tree(after)
    assert not may_matter(old, new)
    assert "tokens" not in {**vars(old), **vars(new)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a): ...\n", "def f(a, b): ...\n"),
        ("def f(a): ...\n", "def f(a, *, b): ...\n"),
        ("def f(): ...\n", "def f(a): ...\n"),
        ("def price(): ...\n", "def prices(): ...\n"),
        ("def price(): ...\n", "def unprice(): ...\n"),
        ("x = 1\n", "y = 1\n"),
        ("def f(a, b): ...\n", "def f(a): ...\n"),
        ("def f(a): ...\n", "def f(a=()): ...\n"),
        (FIELDS, FIELDS + "    y: int\n"),
        (FIELDS + "\n\nz = 1\n", FIELDS + "    y: int\n\n\nz = 1\n"),
        (FIELDS + "    y: int\n", FIELDS),
        (FIELDS, FIELDS.replace("dataclass", "dataclass(kw_only=True)")),
    ],
)
def test_a_declaration_is_looked_at(before: str, after: str) -> None:
    assert may_matter(tree(before), tree(after))


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.lists(st.sampled_from(PARTS), max_size=6))
def test_what_is_passed_over_has_no_consequences(before: list[str], after: list[str]) -> None:
    old, new = tree("".join(before)), tree("".join(after))
    if not may_matter(old, new):
        alignment = Alignment(old, new)
        assert list(renames(alignment)) == []
        assert list(signature_changes(alignment)) == []
