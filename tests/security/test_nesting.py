"""A law of all that looks into syntax trees: how deeply a text is nested does not decide how long that takes.

Nothing bounds the depth of a text: 20,000 exclamation marks are 20,000 levels, in 20 kB. A node of tree-sitter does
not know its parent: each `Node.parent` is looked for from the root on, so that a walk upwards takes the square of the
depth. For such a text a key took 12 seconds on the event loop, and a rename never ended.
"""

import ast
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import guiderail
from guiderail.lsp.place import place_at
from guiderail.monitors.analysis.answers import References
from guiderail.next_edit import search_time
from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.calls import rewritten
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder
from guiderail.next_edit.relevance import may_matter
from guiderail.next_edit.renames import _paths, renames
from guiderail.next_edit.search_time import InterruptedSearchError
from guiderail.next_edit.signatures import signature_changes, signatures
from guiderail.next_edit.source_tree import MOST_NESTED, SourceTree, read
from guiderail.text.document import Document
from guiderail.text.syntax import ancestors, parse

DEEP = 19_000
SOON_S = 5.0  # of this thread; what these tests found took from 12 s to hours
ROOMS = ("text", "prompt", "decoding", "monitors", "engine", "next_edit", "lsp")


@contextmanager
def soon(what: object = "") -> Iterator[None]:
    began = time.thread_time()
    yield
    taken = time.thread_time() - began
    assert taken < SOON_S, (what, taken)


def tree(text: str, language: str = "javascript") -> SourceTree:
    found = read(Document(text, Path("/project/a.js"), language))
    assert found is not None
    return found


@pytest.mark.parametrize("language", ["javascript", "python"])
def test_ancestors_are_all_parents(language: str) -> None:
    source = b'f(a, [b, {"c": (1, 2)}])\n'
    root = parse(source, language)
    for at in range(len(source)):
        node = root.descendant_for_byte_range(at, at + 1)
        assert node is not None
        parents, one = [], node.parent
        while one is not None:
            parents.append(one)
            one = one.parent
        assert ancestors(node, root) == parents


def test_no_loop_goes_upwards_by_parent() -> None:
    """A walk of a bounded number of steps is a `for` loop; one to the root is `guiderail.text.syntax.ancestors`."""
    found = []
    for file in (path for room in ROOMS for path in (Path(guiderail.__file__).parent / room).rglob("*.py")):
        source = file.read_text("utf-8")
        for loop in ast.walk(ast.parse(source)):
            if isinstance(loop, ast.While) and "tree_sitter import" in source:
                found += [
                    f"{file}:{node.lineno}"
                    for node in ast.walk(loop)
                    if isinstance(node, ast.Attribute) and node.attr == "parent"
                ]
    assert not found


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("javascript", "!" * DEEP + "/'/"),  # a string to the lexer, a pattern to the grammar
        ("typescript", "!" * DEEP + "/'/"),
        ("javascript", "a=>" * (DEEP // 3) + "/'/"),
        ("javascript", "!" * DEEP + "'a"),
        ("javascript", "`${" * (DEEP // 6) + "`" + "}`" * (DEEP // 6)),
        ("python", "-" * DEEP + "'a"),
    ],
)
def test_a_place_in_a_deep_text_is_known_soon(language: str, text: str) -> None:
    """On the event loop, at each key."""
    with soon():
        place_at(Document(text, Path("/project/a"), language), len(text))


DEEP_TEXTS = {
    "brackets": ("function f(x){return " + "(" * DEEP, "aa", ")" * DEEP + "}"),
    "calls": ("function f(x){return " + "g(" * DEEP, "aa", ")" * DEEP + "}"),
    "members": ("function f(x){return ", "aa", ".b" * DEEP + "}"),
    "signs": ("let x = " + "!" * DEEP, "aa", ";"),
    "functions": ("let ", "aa", " = 1;" + "function a(){" * DEEP + "}" * DEEP),
    "inside": ("function a(){" * DEEP + "function ", "aa", "(x){}" + "}" * DEEP),
}


@pytest.mark.parametrize("name", DEEP_TEXTS)
def test_what_follows_from_a_change_in_a_deep_text_is_found_soon(name: str) -> None:
    head, old, tail = DEEP_TEXTS[name]
    before, after = tree(head + old + tail), tree(head + "bb" + tail)
    with soon():
        may_matter(before, after)
        list(renames(Alignment(before, after)))
        list(signature_changes(Alignment(before, after)))


def test_names_of_functions_in_functions_are_bounded() -> None:
    """Each knew the names of all around it: for 30,000 levels, in 400 kB, that were 4 GB, twice."""
    found = tree("function a(b){" * 500 + "}" * 500)
    paths = [*_paths(found).values(), *(one.path for one in signatures(found))]
    assert len(paths) == 2 * MOST_NESTED
    assert max(map(len, paths)) == MOST_NESTED


def test_the_functions_of_a_file_are_read_once() -> None:
    """For each of thousands of overrides all functions of their file were read anew."""
    found = tree("class A { f(a) {} } class B { f(a) {} }")
    assert [one.path for one in signatures(found)] == [("A", "f"), ("B", "f")]
    assert signatures(found) is signatures(found)


class Mute:
    """An analyser that knows no references."""

    def ask(self, kind: Any, question: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(References(True, ()))
        return answer


RENAMED = "function aa(){};let b=" + "!" * 200 + "aa.aa;", "function bb(){};let b=" + "!" * 200 + "aa.aa;"


def search(root: Path, *cancelled: Any) -> Finder:
    return Finder(Mute(), Files(root, {}), *cancelled)  # pyright: ignore[reportArgumentType]


def test_a_search_in_trees_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no law above bounds is bounded all the same, and the person hears of it."""
    before, after = (Document(text, tmp_path / "a.js", "javascript") for text in RENAMED)
    assert not search(tmp_path).find(before, after).left
    monkeypatch.setattr(search_time, "SEARCH_S", -1.0)
    (left,) = search(tmp_path).find(before, after).left
    assert (left.path, left.why) == (tmp_path / "a.js", "what it changes takes too long to be found")


def test_each_further_file_has_its_time_too() -> None:
    """A name may be used in thousands of files."""
    clock = search_time.SearchTime(lambda: False)
    clock.begin()
    before = clock._until
    clock.extend()
    assert clock._until == pytest.approx(before + search_time.FILE_S)


def test_a_search_in_trees_ends_once_nobody_waits(tmp_path: Path) -> None:
    """Searches that go on would take all threads from those that follow."""
    before, after = (Document(text, tmp_path / "a.js", "javascript") for text in RENAMED)
    with pytest.raises(InterruptedSearchError):
        search(tmp_path, lambda: True).find(before, after)


def test_arguments_are_put_in_order_by_their_places() -> None:
    """Each was looked for among all: for 40,000 keywords that were minutes, in which no cancelling was heard."""
    count = 15_000
    listed = ", ".join(f"a{number}=1" for number in range(count))
    names = ", ".join(f"a{number}=0" for number in range(count))
    before, after = (tree(f"def f({one}): pass\nf({listed})\n", "python") for one in (names, f"{names}, more=0"))
    (change,) = signature_changes(Alignment(before, after))
    call = next(one for one in after.root.named_children[1].named_children if one.type == "call")
    with soon():
        assert rewritten(after, call, change) is None
