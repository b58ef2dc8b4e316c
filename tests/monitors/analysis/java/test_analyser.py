"""The Java server's answers, as monitors judge them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.java.server import JAVAC
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.arguments import Arguments
from guiderail.monitors.dereference import Dereference
from guiderail.monitors.enums import EnumCases
from tests.monitors.snapshots import project, restriction_of

CASES = """class A { enum Color { RED, GREEN }
  int g(int a, String b) { return 1; }
  int f(Color c) { """
GENERIC = """import java.util.function.*;
class A { static class Box<T> { void put(T value, java.util.Map<String, T> again) {}
  <U> U map(Function<? super T, ? extends U> f, U... more) { return null; } static <V> Box<V> of(V v) { return null; } }
  interface Fun<T, R> { R apply(T a, int b); }
  <Q extends Comparable<Q>> void f(Box<Q> box, Box<? extends Number> wild, Box raw, Fun<Q, String> fun) { """


@pytest.fixture(scope="module")
def java(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """The compiler's own analysis on an empty project."""
    with project(tmp_path_factory.mktemp("java"), {}, JAVAC) as started:
        yield started


def legal(monitor, analyser: ServerAnalyser, text: str, truths: list[str]) -> list[str]:
    """The truths that are legal after a text."""
    restriction = restriction_of(monitor, analyser, text, " } }\n", "A.java")
    assert restriction.reason is None
    return [truth for truth in truths if restriction.allows(truth)]


@pytest.mark.parametrize(
    ("call", "legal_ones"),
    [
        ("box.put(", ["1, 2)"]),
        ("wild.put(", ["1, 2)"]),
        ("raw.put(", ["1, 2)"]),
        ("box.<String>map(", ["1)", "1, 2)", "1, 2, 3)"]),
        ("Box.of(", ["1)"]),
        ("fun.apply(", ["1, 2)"]),
        ("new java.util.ArrayList<>(", [")", "1)"]),
        ("new java.util.HashMap<String, java.util.List<Q>>(", [")", "1)", "1, 2)"]),
        ("java.util.List.of(1).add(", ["1)", "1, 2)"]),
    ],
)
def test_generics(java, call: str, legal_ones: list[str]) -> None:
    """Generic classes, methods and interfaces take as many arguments as they declare."""
    found = legal(Arguments(), java, GENERIC + call, [")", "1)", "1, 2)", "1, 2, 3)"])
    assert found == legal_ones


def test_cases(java) -> None:
    """After `case` stand the constants of the enum that is switched on, each once."""
    text = CASES + "switch (c) { case RED: break; case "
    assert legal(EnumCases(), java, text, ["RED:", "GREEN:", "name:"]) == ["GREEN:"]


def test_arguments(java) -> None:
    """A call of a method with two parameters has two arguments."""
    assert legal(Arguments(), java, CASES + "g(", ["1)", '1, ",")', "1, 2, 3)"]) == ['1, ",")']


def test_methods_of_every_object_that_an_interface_declares_again(java) -> None:
    """They are called on it all the same."""
    text = "interface Bag { boolean equals(Object o); int hashCode(); }\nclass A { void f(Bag bag) { bag."
    truths = ["equals(", "hashCode(", "toString(", "clone(", "nowhere("]
    assert legal(Dereference(), java, text, truths) == ["equals(", "hashCode(", "toString("]


def test_what_is_protected_in_another_package_is_reached_by_super(tmp_path: Path) -> None:
    """On other objects of that class it is not."""
    other = "package b;\npublic class Base { protected int inner() { return 1; } public int outer() { return 1; } }\n"
    text = "package a;\nclass A extends b.Base { int f(b.Base one) { return "
    with project(tmp_path, {"b/Base.java": other, "a/A.java": "package a;\nclass A {}\n"}, JAVAC) as started:
        for receiver, names in (("super.", ["inner(", "outer("]), ("one.", ["outer("])):
            restriction = restriction_of(Dereference(), started, text + receiver, "; } }\n", "a/A.java")
            assert [name for name in ("inner(", "outer(", "none(") if restriction.allows(name)] == names


def test_keeps_other_sources_until_they_change(tmp_path: Path) -> None:
    """What another file declares is known however its methods end, and known anew once the file has changed."""
    other = (
        "class Other { final int x; Other() { this(1); } Other(int a) { x = a; }\n"
        "  <T> T %s(T a) { for (;;) { Object o = new Object() { int deep() { return 1; } }; } }\n"
        "  static Other made() { return missing(); } }\n"
    )
    text = "class A { int f(Other other) { other."
    with project(tmp_path, {"A.java": "class A {}\n", "Other.java": other % "early"}, JAVAC) as started:
        for name, changed in (("early", "late"), ("late", "last"), ("last", "early")):
            truths = ["early(", "late(", "last(", "made(", "x ", "deep("]
            assert legal(Dereference(), started, text, truths) == [f"{name}(", "made(", "x "]
            file = tmp_path / "Other.java"
            before = file.stat().st_mtime
            file.write_text(other % changed)
            os.utime(file, (before + 2, before + 2))
            started.files_changed([file]).result(60)


def test_finds_no_errors_in_sources_that_are_kept(tmp_path: Path) -> None:
    """A file that uses others has its own errors alone."""
    other = "class Other { final int x; Other(int a) { x = a; } int y() { return x; } }\n"
    own = "class A extends Other { A() { super(1); } int f() { return y() + nowhere; } }\n"
    with project(tmp_path, {"A.java": own, "Other.java": other}, JAVAC) as started:
        found = started.ask(DIAGNOSTICS, Question(tmp_path / "A.java", "java", own, 0)).result(60)
        assert [own[one.start : one.end] for one in found] == ["nowhere"]
