"""Calls checked against the signatures of a real analyser."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.arguments import Arguments
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot

DEFINED = """
import abc
from dataclasses import dataclass
from typing import Generic, TypeVar, overload
T = TypeVar("T")

def two(a, b=(1, 2), *, key: dict[str, int] = {}): ...
@overload
def either(x: int) -> int: ...
@overload
def either(x: str, y: int, /) -> str: ...
def either(*args): ...
@dataclass
class Point:
    x: int
    y: int = 0
class Plain:
    def put(self, other): ...
class lower:
    def put(self, other): ...
class Odd:
    def put(_self, other): ...
def same(x: T, y: T | None = None, sep: str = ",(", *, key=1) -> T: ...
def both() -> str | bytes: ...
class Maker(type):
    def __call__(cls, *args, **given): return super().__call__()
class Made(metaclass=Maker): ...
class MadeBelow(Made):
    def __init__(self): ...
class Box(Generic[T]):
    def __init__(self, inside: T): ...
    def put(self, other: T, again: "dict[str, T]"): ...
"""


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on an empty project."""
    with project(tmp_path_factory.mktemp("arguments"), {}, PYREFLY) as started:
        yield started


@pytest.mark.parametrize(
    ("call", "legal", "illegal"),
    [
        ("two(", {"1)", "1, 2)", "1, key={})", "a=1)", "1, (2, 3), key=1)"}, {")", "1, 2, 3)", "1, c=2)", "b=1)"}),
        ("either(", {"1)", "'a', 2)"}, {")", "1, 2, 3)", "y=1)"}),
        ("Point(", {"1)", "1, 2)", "x=1)"}, {")", "1, 2, 3)", "z=1)"}),
        ("Box[int](", {"1)"}, {")", "1, 2)"}),
        ("Box(1).put(", {"1, {})", "1, again={})"}, {"1)", "1, 2, 3)"}),
        ("Plain.put(", {"plain, 1)", "1)"}, {"1, 2, 3)", ")"}),
        ("lower.put(", {"plain, 1)", "1)"}, {"1, 2, 3)", ")"}),
        ("Odd().put(", {"1)", "odd, 1)"}, {")", "1, 2, 3)"}),
        ("same(", {"1)", "1, 2)", "1, 2, 3)", "1, key=2)"}, {")", "1, z=2)", "1, 2, 3, 4)"}),
        ("abs(", {"1)"}, {")", "1, 2)", "x=1)"}),
        ("dict.copy(", {"{})", ")"}, {"1, 2)"}),
        ("str.join(", {"'', ())", "())"}, {")", "'', (), 1)"}),
        ("print(", {")", "1, 2, 3)", "1, sep='')"}, {"1, sepp='')"}),
        ("x = [len(", {"'a')"}, {")", "1, 2)"}),
    ],
)
def test_calls_take_what_their_signature_says(analyser, call: str, legal: set[str], illegal: set[str]) -> None:
    """Defaults, overloads, generics, constructors and keyword-only parameters are respected."""
    restriction = restriction_of(Arguments(), analyser, DEFINED + call)
    assert restriction.reason is None
    assert {truth for truth in legal | illegal if restriction.allows(truth)} == legal


@pytest.mark.parametrize(
    ("before", "legal", "illegal"),
    [
        ("two(1, ", {"2)", "2, key=3)"}, {"2, 3)", "c=1)"}),
        ("two(1", {")", " + 2)", ", 2)"}, {", 2, 3)"}),
        ("two(a=1, ", {"key=2)", ")"}, {"c=1)"}),
        ("print(len('a', ", {")"}, {"1)"}),
        ("len('a', ", {")"}, {"1)", '"', "''", " '"}),
        ("f'{len(1, ", {")"}, {"1)"}),
    ],
)
def test_a_cursor_among_arguments_is_watched_too(analyser, before: str, legal: set[str], illegal: set[str]) -> None:
    restriction = restriction_of(Arguments(), analyser, DEFINED + before)
    assert restriction.reason is None
    assert {truth for truth in legal | illegal if restriction.allows(truth)} == legal


@pytest.mark.parametrize(
    ("before", "only"),
    [("dict().copy(", ")"), ("abs(1, ", ")"), ("abs(", ""), ("abs(1", ""), ("print(", ""), ("dict().copy( ", ")"),
     ("f'{dict().copy(", ")")],
)  # fmt: skip
def test_where_nothing_more_is_taken_only_the_closing_bracket_is_legal(analyser, before: str, only: str) -> None:
    assert restriction_of(Arguments(), analyser, DEFINED + before).only == only


@pytest.mark.parametrize(
    "call", ["abc.update_abstractmethods(", "nowhere(", "dict(", "issubclass(", "both().startswith("]
)
def test_unknown_callees_are_left_free(analyser, call: str) -> None:
    """Where the analyser does not say what is taken, nothing is constrained."""
    restriction = restriction_of(Arguments(), analyser, DEFINED + call)
    assert restriction.reason == "unknown signature"


@pytest.mark.parametrize("call", ["Made(", "MadeBelow(", "MadeBelow(1, "])
def test_a_class_that_its_metaclass_calls_takes_what_that_does(analyser, call: str) -> None:
    """Its constructor may be given something else."""
    restriction = restriction_of(Arguments(), analyser, DEFINED + call)
    assert restriction.reason is not None


@pytest.mark.parametrize(
    "text",
    ["x.push(function named(", "f(async function* named(", "x.map(function(", "x.map(function<T>(", "f({ m(",
     "f({ a: 1, m<T>(", "const a = { async *m(", "return { get m("],
)  # fmt: skip
def test_function_expressions_and_methods_of_objects_are_no_calls(text: str) -> None:
    """After `function`, and where an object literal begins a member, stands a name that is being defined."""
    assert Arguments().trigger(snapshot(text, language="typescript")) is None


@pytest.mark.parametrize("text", ["def f(", "class A(", "if (", "x = (", "# f(", "'f(", "async def g(", "not (",
                                   "super().__new__("])  # fmt: skip
def test_other_brackets(text: str) -> None:
    """Definitions, groups, comments and strings are no calls; what makes an object is given what is shown nowhere."""
    assert Arguments().trigger(snapshot(text)) is None


@pytest.mark.parametrize(
    "text",
    ["if (a < b > (", "if (a.length < size && b > (", "x = a<b; c>(", "function f<T>(", "clamp(i<n && j>(",
     "f(a<b? c : d>(", "f(a<b || c>(", "f(a<b+c>(", "f(i<n-1>("],
)  # fmt: skip
def test_comparisons_and_definitions_are_no_calls_with_types(text: str) -> None:
    """Type arguments stand directly after a name that is called."""
    assert Arguments().trigger(snapshot(text, language="typescript")) is None
