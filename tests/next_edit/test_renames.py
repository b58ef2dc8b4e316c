"""Which replaced names are renames, as far as syntax tells."""

import pytest

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.renames import renames
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document


def found(before: str, after: str, language: str = "python") -> list[tuple[str, str, str]]:
    trees: list[SourceTree] = []
    for text in (before, after):
        tree = read(Document(text, language=language))
        assert tree is not None
        trees.append(tree)
    return [(one.old, one.new, one.kind) for one in renames(Alignment(*trees))]


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("def f(a):\n    return a\n", "def g(a):\n    return a\n", ("f", "g", "function")),
        ("class A:\n    x = 1\n", "class B:\n    x = 1\n", ("A", "B", "function")),
        ("class A:\n    def f(self): ...\n", "class A:\n    def g(self): ...\n", ("f", "g", "member")),
        ("def f(a, b): ...\n", "def f(a, c): ...\n", ("b", "c", "local")),
        ("def f(a, b=1): ...\n", "def f(a, c=1): ...\n", ("b", "c", "local")),
        ("LIMIT = 3\n", "MOST = 3\n", ("LIMIT", "MOST", "module")),
        ("def f():\n    x = 1\n", "def f():\n    y = 1\n", ("x", "y", "local")),
        ("class A:\n    x: int = 1\n", "class A:\n    y: int = 1\n", ("x", "y", "member")),
        ("import json as j\n", "import json as js\n", ("j", "js", "alias")),
        ("from os import path as p\n", "from os import path as q\n", ("p", "q", "alias")),
        ("größe = 'ü'\n", "width = 'ü'\n", ("größe", "width", "module")),
        ("class A:\n    def f(s): ...\nclass B:\n    def f(s): ...\n",
         "class A:\n    def g(s): ...\nclass B:\n    def f(s): ...\n", ("f", "g", "member")),
    ],
)  # fmt: skip
def test_a_rename(before: str, after: str, wanted: tuple[str, str, str]) -> None:
    assert found(before, after) == [wanted]


def test_an_attribute_of_the_same_name_as_its_value() -> None:
    before = "class A:\n    def __init__(self, x):\n        self.x = x\n"
    assert ("x", "y", "member") in found(before, before.replace("self.x", "self.y"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(): ...\ndef g(): ...\n", "def g(): ...\ndef f(): ...\n"),
        ("def f(): ...\n", "def g(): ...\ndef f(): ...\n"),
        ("x = f(1)\n", "x = g.h\n"),
        ("class A(f): ...\n", "class A(metaclass=f): ...\n"),
        ("def load(path):\n    return open(path).read()\n", "def save(path):\n    with path.open('w'):\n        ...\n"),
        ("LIMIT = 3\n", "COLOUR = 'red'\n"),
        ("k = lambda a, b: a - b\n", "k = lambda b, a: a - b\n"),
        ("b, a = x\n", "a, b = x\n"),
        ("def f(a, b): ...\n", "def f(b, a): ...\n"),
        ("def price(): ...\ndef f(cost): return price()\n", "def cost(): ...\ndef f(cost): return price()\n"),
        ("def f(tax):\n    rate = 2\n    return tax\n", "def f(rate):\n    rate = 2\n    return tax\n"),
        ("def f(items): return len(items)\n", "def f(len): return len(items)\n"),
    ],
    ids=[
        "moved", "a new one before it", "another role", "a keyword", "another function", "another variable",
        "a lambda's parameters swapped", "targets swapped", "parameters swapped", "a name that is taken",
        "a name that a body has", "the name of a builtin that a body uses",
    ],
)  # fmt: skip
def test_no_rename(before: str, after: str) -> None:
    """What moved, what is something else now, and what would get the name of another."""
    assert found(before, after) == []


def test_arrow_functions() -> None:
    assert found("const k = (a, b) => a - b;", "const k = (b, a) => a - b;", "typescript") == []


@pytest.mark.parametrize("kind", ["type A = {", "interface A {"])
def test_a_member_of_a_type_is_a_member(kind: str) -> None:
    """What has the new name elsewhere in the file is something else; what the type itself has is not."""
    before = f"{kind}\n  x: number;\n  z: number;\n}}\nconst y = 1;\nf(a.y, {{y}});\n"
    assert found(before, before.replace("x: number", "y: number"), "typescript") == [("x", "y", "member")]
    taken = before.replace("z: number", "y: number")
    assert found(taken, taken.replace("x: number", "y: number"), "typescript") == []
