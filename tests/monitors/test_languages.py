"""Monitors of other languages than Python, with their real analysers."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.servers import server_named
from guiderail.monitors.arguments import Arguments
from guiderail.monitors.enums import EnumCases
from guiderail.monitors.instantiation import Instantiation
from guiderail.monitors.keys import Keys
from tests.monitors.scenes import project, ruling_of

TYPESCRIPT = """
class Box { constructor(public width: number, public height?: number) {} }
interface Person { name: string; age?: number }
enum Color { Red, Green }
function take(a: number, ...rest: string[]) {}
function f(c: Color) { """
JAVA = """class A { enum Color { RED, GREEN }
  int g(int a, String b) { return 1; }
  int f(Color c) { """
CPP = "struct Box { int a; };\nint main() { "


@pytest.fixture(scope="module")
def typescript(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """typescript-language-server on an empty project."""
    with project(tmp_path_factory.mktemp("ts"), {}, server_named("typescript-language-server")) as started:
        yield started


@pytest.fixture(scope="module")
def java(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """The compiler's own analysis on an empty project."""
    with project(tmp_path_factory.mktemp("java"), {}, server_named("javac")) as started:
        yield started


@pytest.fixture(scope="module")
def cpp(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """clangd on an empty project."""
    with project(tmp_path_factory.mktemp("cpp"), {}, server_named("clangd")) as started:
        yield started


def legal(monitor, analyser: ServerAnalyser, text: str, file: str, truths: list[str]) -> list[str]:
    """The truths that are legal behind a text."""
    ruling = ruling_of(monitor, analyser, text, " } }\n" if file == "A.java" else " }\n", file)
    assert ruling.reason is None
    return [truth for truth in truths if ruling.allows(truth)]


def test_typescript_cases(typescript) -> None:
    """A case names a member of the enum that has no case yet."""
    text = TYPESCRIPT + "switch (c) { case Color.Red: break; case Color."
    assert legal(EnumCases(), typescript, text, "a.ts", ["Red:", "Green:", "Blue:"]) == ["Green:"]


def test_typescript_instantiation(typescript) -> None:
    """Classes can be instantiated, interfaces and what does not exist cannot."""
    truths = ["Box(", "Date(", "Person(", "Nowhere("]
    assert legal(Instantiation(), typescript, TYPESCRIPT + "const b = new ", "a.ts", truths) == ["Box(", "Date("]


def test_typescript_keys(typescript) -> None:
    """An object literal of a known type has its keys."""
    truths = ["name: 'x'", "age: 1", "nam: 1", "...x", "}"]
    found = legal(Keys(), typescript, TYPESCRIPT + "const p: Person = { ", "a.ts", truths)
    assert found == ["name: 'x'", "age: 1", "...x", "}"]
    text = TYPESCRIPT + "const p: Person = { name: 'x', "
    assert legal(Keys(), typescript, text, "a.ts", ["age: 1", "size: 2"]) == ["age: 1"]
    assert ruling_of(Keys(), typescript, TYPESCRIPT + "const p = { ", " }\n", "a.ts").reason == "unknown type"


def test_typescript_arguments(typescript) -> None:
    """Optional and rest parameters are respected."""
    truths = ["1)", "1, 2)", ")", "1, 2, 3)"]
    assert legal(Arguments(), typescript, TYPESCRIPT + "new Box(", "a.ts", truths) == ["1)", "1, 2)"]
    assert legal(Arguments(), typescript, TYPESCRIPT + "take(", "a.ts", truths) == ["1)", "1, 2)", "1, 2, 3)"]


def test_java_cases(java) -> None:
    """Behind `case` stand the constants of the enum that is switched on, each once."""
    text = JAVA + "switch (c) { case RED: break; case "
    assert legal(EnumCases(), java, text, "A.java", ["RED:", "GREEN:", "name:"]) == ["GREEN:"]


def test_java_arguments(java) -> None:
    """A call of a method with two parameters has two arguments."""
    assert legal(Arguments(), java, JAVA + "g(", "A.java", ["1)", '1, ",")', "1, 2, 3)"]) == ['1, ",")']


def test_cpp_instantiation(cpp) -> None:
    """Structs and built-in types can be instantiated."""
    truths = ["Box(", "int[3]", "Nowhere("]
    assert legal(Instantiation(), cpp, CPP + "auto x = new ", "a.cpp", truths) == ["Box(", "int[3]"]
