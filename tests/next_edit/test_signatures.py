"""Parameters of functions are read from the tree, and compared with those of a later text."""

import pytest

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.signatures import signature_changes, signatures
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document


def tree(text: str, language: str = "python") -> SourceTree:
    found = read(Document(text, language=language))
    assert found is not None
    return found


def kinds(text: str, language: str = "python") -> dict[str, str]:
    """Each parameter of the only function, with its kind; optional ones have a question mark."""
    (one,) = signatures(tree(text, language))
    return {parameter.name: parameter.kind + "?" * parameter.is_optional for parameter in one.parameters}


def test_python_has_five_kinds() -> None:
    text = "def f(a: int, b=1, /, c: int = 2, *args: int, d, e: str = '', **options): ...\n"
    assert kinds(text) == {
        "a": "positional", "b": "positional?", "c": "either?", "args": "rest?", "d": "keyword", "e": "keyword?",
        "options": "keywords?",
    }  # fmt: skip
    assert kinds("def f(a, *, b): ...\n") == {"a": "either", "b": "keyword"}


def test_other_languages_give_arguments_by_position() -> None:
    text = "function f(a: number, b?: string, c = 1, ...rest: any[]) {}\n"
    assert kinds(text, "typescript") == {"a": "positional", "b": "positional?", "c": "positional?", "rest": "rest?"}
    assert kinds("function f(a, c = 1, ...rest) {}\n", "javascript") == {
        "a": "positional", "c": "positional?", "rest": "rest?"
    }  # fmt: skip


def test_a_method_is_without_its_receiver() -> None:
    text = (
        "class A:\n    def __init__(self, a): ...\n    @classmethod\n    def b(cls, c): ...\n"
        "    @staticmethod\n    def d(e): ...\n"
    )
    found = {one.path: one for one in signatures(tree(text))}
    names = {path[-1]: [parameter.name for parameter in one.parameters] for path, one in found.items()}
    assert names == {"__init__": ["a"], "b": ["c"], "d": ["e"]}
    assert [one.is_bound for one in found.values()] == [True, True, False]
    assert found["A", "__init__"].is_constructor


@pytest.mark.parametrize(
    "text",
    [
        "if x:\n    def f(a): ...\nelse:\n    def f(a, b): ...\n",
        "class A:\n    def f(): ...\n",
        "function f({a}: X) {}\n",
    ],
    ids=["declared twice", "a method without receiver", "a pattern"],
)
def test_what_cannot_be_told_is_left_out(text: str) -> None:
    assert list(signatures(tree(text, "typescript" if "{}" in text else "python"))) == []


@pytest.mark.parametrize(
    ("before", "after", "origins"),
    [
        ("a, b", "a", (0,)),
        ("a, b", "b, a", (1, 0)),
        ("a, b", "a, c", (0, 1)),
        ("a, b", "a, b, c", (0, 1, None)),
        ("a, b", "c, a, b", (None, 0, 1)),
        ("a", "a=1", (0,)),
        ("a, b", "a, *, b", (0, 1)),
        ("é, b", "b, é", (1, 0)),
    ],
)
def test_each_parameter_knows_what_it_was(before: str, after: str, origins: tuple[int | None, ...]) -> None:
    old, new = (tree(f"x = 'ü'\ndef f({one}): ...\n") for one in (before, after))
    (change,) = signature_changes(Alignment(old, new))
    assert change.origins == origins


def test_a_body_is_no_signature() -> None:
    old, new = tree("def f(a):\n    return a\n"), tree("def f(a):\n    b = a\n    return b + 1\n")
    assert list(signature_changes(Alignment(old, new))) == []


def test_depth_does_not_matter() -> None:
    """Nested deeper than Python's own stack."""
    text = "x = " + "[" * 3000 + "]" * 3000 + "\ndef f(a): ...\n"
    assert [one.path for one in signatures(tree(text))] == [("f",)]
