"""Arguments of calls, and the signatures that they fit."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.masks import allowed
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.monitors.analysis.answers import Signature
from guiderail.monitors.call import ArgumentReader, CallArguments, _Reading, fits
from guiderail.monitors.masks import Masks
from guiderail.monitors.parameters import Parameters, parameters_of
from guiderail.text.languages.table import CALLS

FUNCTIONS: list[Callable[..., Any]] = [
    lambda: 0,
    lambda a: 0,
    lambda a, b=1: 0,
    lambda a, /, b: 0,
    lambda *, a, b=1: 0,
    lambda a, *args, b: 0,
    lambda a, b=1, **kw: 0,
]
ARGUMENT = st.sampled_from(
    ["1", "x", "a=1", "b=2", "c=3", "f(1, 2)", "'a, b'", "[1, 2]", "a == 1", "lambda p, q: 0", "...", ".5"]
)
PIECES = [b"/", b"//", b"/*", b"*/",
          b"x", b"1", b"a=", b"=", b"==", b", ", b",", b")", b"(", b"))", b"),", b"'", b'"', b'""', b"\\", b"#", b"\n",
          b"lambda", b" ", b":", b"*", b"c=1", b"[", b"]", b"b", b"...", b"."]  # fmt: skip


def signature_of(function: Callable[..., Any]) -> Signature:
    """A function's signature as analysers word it: with types, stars and slashes between the parameters."""
    parameters = inspect.signature(function).parameters.values()
    return Signature(f"def f{inspect.signature(function)} -> int", tuple(str(one) for one in parameters))


def parameters(function: Callable[..., Any]) -> Parameters:
    found = parameters_of(signature_of(function))
    assert found is not None
    return found


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FUNCTIONS), st.lists(ARGUMENT, max_size=4))
def test_calls_fit_exactly_as_python_binds_them(function: Callable[..., Any], arguments: list[str]) -> None:
    """A finished call fits a signature if and only if Python can bind its arguments."""
    text = ", ".join(arguments)
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except SyntaxError:  # a keyword twice
        return
    assert isinstance(call, ast.Call)
    positional = [n for n, one in enumerate(arguments) if "=" not in one or "==" in one]
    if positional and any(n < positional[-1] and n not in positional for n in range(len(arguments))):
        return
    if len({one.arg for one in call.keywords}) < len(call.keywords):
        return
    try:
        inspect.signature(function).bind(*call.args, **{one.arg or "": one.value for one in call.keywords})
        binds = True
    except TypeError:
        binds = False
    assert fits([parameters(function)], text + ")", CALLS["python"]) == binds


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FUNCTIONS), st.lists(st.sampled_from(PIECES), max_size=10), st.booleans(), st.data())
def test_reading_does_not_depend_on_the_tokens(
    function, pieces: list[bytes], braces: bool, data: st.DataObject
) -> None:
    """However a text is cut, the same is read of it."""
    text = b"".join(pieces)
    cut = data.draw(st.integers(0, len(text)))
    reader = ArgumentReader([parameters(function)], CALLS["java"] if braces else CALLS["python"])
    once, twice = reader.on(_Reading(), text), reader.on(reader.on(_Reading(), text[:cut]), text[cut:])
    assert once == twice or once.state == twice.state != "inside"


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(FUNCTIONS), st.lists(st.sampled_from(PIECES), max_size=6))
def test_masks_equal_brute_force(function: Callable[..., Any], pieces: list[bytes]) -> None:
    """A token is allowed exactly if some overload still fits after it; a call that takes nothing is closed at once."""
    table = [*PIECES, b"yy", b" z)", b""]
    written = b"".join(pieces)
    call = CallArguments(Masks(Vocabulary(table)), [parameters(function)], CALLS["python"])
    if call.place(written) == "inside":
        states = [
            ArgumentReader([parameters(function)], CALLS["python"]).on(_Reading(), written + one).state for one in table
        ]
        takes_nothing = not inspect.signature(function).parameters
        late = [bool(one) and takes_nothing and not (written + one).strip() for one in table]
        fitting = [i for i, state in enumerate(states) if state != "lost" and not late[i]]
        assert allowed(call.mask(written), len(table)).nonzero().flatten().tolist() == fitting


@pytest.mark.parametrize(
    ("label", "parameters", "expected"),
    [
        ("def f(a: int | Unknown = 1, *, c: int) -> None", ("a: int | Unknown = 1", "c: int"),
         Parameters(("a",), frozenset("c"), frozenset("ac"))),
        ("def len(obj: Sized, /) -> int: ...", ("obj: Sized",), Parameters(("obj",), frozenset({"obj"}), frozenset())),
        ("(self: A, q, r) -> A", ("q", "r"), Parameters(("q", "r"), frozenset("qr"), frozenset("qr"))),
        ("f(a: number, b?: string): void", ("a: number", "b?: string"),
         Parameters(("a", "b"), frozenset("a"), frozenset("ab"))),
        ("(a: tuple[int, ...], *, f: (T, ...) -> int = x)", ("a: tuple[int, ...]", "f: (T, ...) -> int = x"),
         Parameters(("a",), frozenset("a"), frozenset("af"))),
        ("String format(String a, Object... b)", ("String a", "Object... b"),
         Parameters(("String",), frozenset({"String"}), frozenset({"String"}), True)),
        ("f(...rest: string[]): void", ("...rest: string[]",), Parameters((), frozenset(), frozenset(), True)),
        ("(*values: object, sep: str = ' ')", ("*values: object", "sep: str = ' '"),
         Parameters((), frozenset(), frozenset({"sep"}), True)),
        ("def f[T: (int, str)](a: T, /, b: str = '(,', *c: T) -> T: ...", (),
         Parameters(("a", "b"), frozenset("a"), frozenset("b"), True)),
        ("def f[T](self: Box[T]) -> T: ...", (), Parameters((), frozenset(), frozenset())),
        ("(x: int, /, *, y: int)", ("x: int", "/", "*", "y: int"), Parameters(("x",), frozenset("xy"), frozenset("y"))),
        ("((self: bytes, a: int) -> bool) | ((self: str, a: int) -> bool)", (), None),
        ("[T](self: Box[T], other: T) -> T | Unknown", (), None),
        ("def f[**P](ExitStack, (ParamSpec(P)) -> T, ParamSpec(P)) -> int: ...", (), None),
        ("def f(a: int, b: int)", ("b: int",), None),
        ("def f(a: int, b: int)", ("a: int",), None),
        ("Unknown", (), None),
        ("(...) -> Unknown", (), None),
        ("type[dict]", (), None),
    ],
)  # fmt: skip
def test_signatures_as_analysers_word_them(
    label: str, parameters: tuple[str, ...], expected: Parameters | None
) -> None:
    """Stars, slashes, defaults and question marks are found in the label; what says nothing, or shows parameters that
    are not listed, is no shape."""
    assert parameters_of(Signature(label, parameters)) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("1, 2\n)", True), ("1, 2,\n)", True), ("1, 2, 3", False), ("1, 2, *", True), ("*x)", True), (")", False),
        ("1, lambda p, q: 3)", True), ("x for x in (1, 2))", True), ("1, # ) , ,\n 2)", True),
        ("1, '''a, ')''')", True),
        ("1, b=2)", True), ("1, c=2)", False), ("1, c == 2)", True), ("b=1, b=2)", False), ("1, a=2)", False),
        ("1, 2  ", True), ("1, 2 x", True), ("1]", False), (",", False),
    ],
)  # fmt: skip
def test_python_calls_of_a_function_of_two(arguments: str, expected: bool) -> None:
    """Strings, comments, lambdas, comprehensions, stars and trailing commas are read as Python reads them."""
    assert fits([parameters(lambda a, b: 0)], arguments, CALLS["python"]) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("1)", True), ("1, 2)", True), (")", False), ("1, 2, 3", False), ("a = 1)", True), ("...xs)", True),
        ("1, // ) , ,\n 2)", True), ("1 /* , , */, 2)", True), ("`a, ${b}`, ',')", True), ("(a, b) => a, 1)", True),
        ("new Map<A, B>(), 1, 2)", True), ("{ a: 1, b: [2, 3] }, f(1, 2, 3))", True),
        ("/[)(,]/, /,/, 3)", True), ("f(/\\(/), 2)", True), ("1, 2, 3 /", False),
    ],
)  # fmt: skip
def test_calls_of_languages_with_braces(arguments: str, expected: bool) -> None:
    """Comments, templates, arrows and generics are read; an equals sign gives no argument a name."""
    found = parameters_of(Signature("f(a: number, b?: string): void", ("a: number", "b?: string")), keywords=False)
    assert found is not None
    assert fits([found], arguments, CALLS["java"]) == expected
