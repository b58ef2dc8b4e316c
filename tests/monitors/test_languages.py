"""Monitors of other languages than Python, with their real analysers."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.servers import server_named
from guiderail.monitors.arguments import Arguments
from guiderail.monitors.dereference import Dereference
from guiderail.monitors.enums import EnumCases
from guiderail.monitors.instantiation import Instantiation
from guiderail.monitors.keys import Keys
from tests.monitors.snapshots import project, restriction_of

TYPESCRIPT = """
class Box { constructor(public width: number, public height?: number) {} }
interface Person { name: string; age?: number }
enum Color { Red, Green }
function take(a: number, ...rest: string[]) {}
function f(c: Color) { """
GENERIC = """
class Crate<T> { constructor(public inside: T, tag?: string) {}
  put(value: T, again: Map<string, T>) {}
  map<U>(f: (x: T, n: number) => U, ...more: Array<[T, U]>): U[] { return [] } }
type Events = { a: [x: number]; b: [y: string, z: number] }
interface On { emit<K extends keyof Events>(name: K, ...args: Events[K]): void }
declare function free<A extends unknown[]>(...args: A): void
declare function settle(value: void | PromiseLike<void>): void
function f<Q>(box: Crate<Q>, texts: Crate<string>, on: On) { """
CPP = "struct Box { int a; };\ntypedef Box Boxes;\nint main() { "


@pytest.fixture(scope="module", params=["tsc", "typescript-language-server"])
def typescript(request, tmp_path_factory) -> Iterator[ServerAnalyser]:
    """Each of TypeScript's servers on an empty project."""
    with project(tmp_path_factory.mktemp("ts"), {}, server_named(request.param)) as started:
        yield started


@pytest.fixture(scope="module")
def cpp(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """clangd on an empty project."""
    with project(tmp_path_factory.mktemp("cpp"), {}, server_named("clangd")) as started:
        yield started


def legal(monitor, analyser: ServerAnalyser, text: str, file: str, truths: list[str]) -> list[str]:
    """The truths that are legal after a text."""
    restriction = restriction_of(monitor, analyser, text, " }\n", file)
    assert restriction.reason is None
    return [truth for truth in truths if restriction.allows(truth)]


def test_typescript_cases(typescript) -> None:
    """A case names a member of the enum that has no case yet."""
    text = TYPESCRIPT + "switch (c) { case Color.Red: break; case Color."
    assert legal(EnumCases(), typescript, text, "a.ts", ["Red:", "Green:", "Blue:"]) == ["Green:"]


def test_typescript_members_of_every_object(typescript) -> None:
    """What analysers leave out may be called all the same."""
    text = TYPESCRIPT + "const person: Person = { name: 'a' }; person."
    truths = ["name;", "hasOwnProperty('a')", "toString()", "nowhere"]
    assert legal(Dereference(), typescript, text, "a.ts", truths) == truths[:3]


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
    assert restriction_of(Keys(), typescript, TYPESCRIPT + "const p = { ", " }\n", "a.ts").reason == "unknown type"


def test_typescript_arguments(typescript) -> None:
    """Optional and rest parameters are respected."""
    truths = ["1)", "1, 2)", ")", "1, 2, 3)"]
    assert legal(Arguments(), typescript, TYPESCRIPT + "new Box(", "a.ts", truths) == ["1)", "1, 2)"]
    assert legal(Arguments(), typescript, TYPESCRIPT + "take(", "a.ts", truths) == ["1)", "1, 2)", "1, 2, 3)"]


@pytest.mark.parametrize(
    ("call", "legal_ones"),
    [
        ("box.put(", ["1, 2)"]),
        ("texts.put(", ["1, 2)"]),
        ("new Crate(", ["1)", "1, 2)"]),
        ("box.map(", ["1)", "1, 2)", "1, 2, 3)"]),
        ("settle(", [")", "1)"]),
        ("new Crate<string>(", ["1)", "1, 2)"]),
        ("new Crate<Array<Array<string>>>(", ["1)", "1, 2)"]),
        ("box.map<Array<string>>(", ["1)", "1, 2)", "1, 2, 3)"]),
    ],
)
def test_typescript_generics(typescript, call: str, legal_ones: list[str]) -> None:
    """Type parameters change the types of arguments, not how many there are; what is of type void can be left out."""
    found = legal(Arguments(), typescript, GENERIC + call, "a.ts", [")", "1)", "1, 2)", "1, 2, 3)"])
    assert found == legal_ones


@pytest.mark.parametrize("call", ["free(", "on.emit("])
def test_typescript_calls_whose_arguments_say_how_many_there_are(typescript, call: str) -> None:
    """Where a type parameter stands for all arguments nothing is constrained."""
    assert restriction_of(Arguments(), typescript, GENERIC + call, " }\n", "a.ts").reason == "generic"


def test_javascript_arguments(typescript) -> None:
    """What JavaScript's functions take is a guess, made of the name alone where the type is not known."""
    for text in ("function two(a, b) {}\nfunction f() { two(", "function f(t) { t.test("):
        assert restriction_of(Arguments(), typescript, text, " }\n", "a.js").reason in (
            "inferred type",
            "unknown signature",
        )


def test_cpp_instantiation(cpp) -> None:
    """Structs, typedefs and built-in types can be instantiated."""
    truths = ["Box(", "Boxes(", "int[3]", "Nowhere("]
    assert legal(Instantiation(), cpp, CPP + "auto x = new ", "a.cpp", truths) == ["Box(", "Boxes(", "int[3]"]


def test_cpp_members(cpp) -> None:
    """Fields, methods and static members of a class are its members; after an unknown type nothing is constrained."""
    made = "struct A { int a; static int b; void m(); static void s(); using T = int; enum E { one }; };\n"
    text = made + "int main() { A x; x."
    truths = ["a", "b", "m()", "s()", "one", "nowhere"]
    assert legal(Dereference(), cpp, text, "a.cpp", truths) == ["a", "b", "m()", "s()", "one"]
    unknown = '#include "nowhere.h"\nint main(Thing *t) { t->'
    assert restriction_of(Dereference(), cpp, unknown, "; }\n", "a.cpp").reason == "unknown type"


def test_cpp_without_a_header(cpp) -> None:
    """Where a header is missing, so may be types."""
    for include in ('#include "nowhere.h"\n', "#include <nowhere.h>\n"):
        assert (
            restriction_of(Instantiation(), cpp, include + CPP + "auto x = new ", " }\n", "a.cpp").reason
            == "incomplete"
        )
