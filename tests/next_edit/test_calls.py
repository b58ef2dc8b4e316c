"""The arguments of a call follow the parameters of its function."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guiderail.next_edit.alignment import Alignment
from guiderail.next_edit.calls import GAP, LeftAloneError, call_of, calls_of_own_class, rewritten
from guiderail.next_edit.signatures import signature_changes
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document
from guiderail.text.edit import Edit


def tree(text: str, language: str = "python") -> SourceTree:
    found = read(Document(text, language=language))
    assert found is not None
    return found


def follow(before: str, after: str, call: str, language: str = "python") -> Edit | None:
    """The edit of the call of ``f`` in a text when a declaration changes."""
    changes = list(signature_changes(Alignment(tree(before, language), tree(after, language))))
    if not changes:
        return None
    text = tree(call, language)
    name = text.name_at(call.index("f("))
    assert name is not None
    node = call_of(text, name)
    assert node is not None
    return rewritten(text, node, changes[0])


def result(before: str, after: str, call: str) -> str | None:
    """The call after a change of a function's parameters."""
    found = follow(f"def f({before}): ...\n", f"def f({after}): ...\n", f"{call}\n")
    return GAP.sub(r"<\1>", found.apply(f"{call}\n")).removesuffix("\n") if found else None


@pytest.mark.parametrize(
    ("before", "after", "call", "wanted"),
    [
        ("a, b", "a", "f(1, 2)", "f(1)"),
        ("a, b", "b", "f(1, 2)", "f(2)"),
        ("a", "", "f(1)", "f()"),
        ("a, b", "b, a", "f(1, 2)", "f(2, 1)"),
        ("a, b", "b, a", "f(1, b=2)", "f(a=1, b=2)"),
        ("a, b", "b, a", "f(a=1, b=2)", None),
        ("a, b", "a, *, b", "f(1, 2)", "f(1, b=2)"),
        ("a, count", "a, number", "f(1, count=2)", "f(1, number=2)"),
        ("a, count", "a, number", "f(1, 2)", None),
        ("a, b=1", "a, b=1, c=2", "f(1, 2)", None),
        ("a, b=1, c=2", "a, c=2", "f(1, 5, 3)", "f(1, 3)"),
        ("a, b=1, c=2", "a, c=2", "f(1, c=3)", None),
        ("a, b=0", "b=0, a=1", "f(1)", "f(a=1)"),
        ("a, b", "a", "f(\n    1,\n    2,\n)", "f(\n    1,\n)"),
        ("a, b", "b, a", "f(\n    1,\n    2,\n)", "f(\n    2,\n    1,\n)"),
        ("a, b", "b", "f('ü', 'é')", "f('é')"),
        ("a", "", "f(1,)", "f()"),
        ("a", "a, *rest", "f(1)", None),
        ("a, b", "b, a, **options", "f(1, b=2)", "f(a=1, b=2)"),
        ("a, b", "a, /", "f(1, 2)", "f(1)"),
        ("a, b", "a, b, c", "f(1, 2)", "f(1, 2, <c>)"),
        ("a, b", "c, a, b", "f(1, b=2)", "f(<c>, 1, b=2)"),
        ("a, b", "c, a, b", "f(a=1, b=2)", "f(<c>, a=1, b=2)"),
        ("a", "a, *, c, d", "f(1)", "f(1, c=<c>, d=<d>)"),
        ("", "c", "f()", "f(<c>)"),
        ("a", "a, c", "f(\n    1,\n)", "f(\n    1, <c>,\n)"),
        ("a, b", "a, b, c", "f(\n    1,\n    2,\n)", "f(\n    1,\n    2,\n    <c>,\n)"),
        ("a=0", "a", "f()", "f(<a>)"),
    ],
)
def test_arguments_follow(before: str, after: str, call: str, wanted: str | None) -> None:
    assert result(before, after, call) == wanted


@pytest.mark.parametrize(
    ("before", "after", "call", "why"),
    [
        ("a", "a, b", "f(*x)", "passes on"),
        ("a", "b", "f(**x)", "passes on"),
        ("a", "b, a", "f(x for x in y)", "cannot be told apart"),
        ("a", "b", "f(1, 2, 3)", "more arguments"),
        ("a", "b", "f(1, c=3)", "no parameter"),
        ("a, b", "b", "f(1,  # one\n  2)", "comment"),
        ("a, b", "a", "f(1,  # one\n  2)", "comment"),
        ("a, b", "a, *rest", "f(1, 2)", "one of the others"),
        ("a, b=1", "a, **options", "f(1, b=2)", "one of the others"),
        ("a, b, c", "a, b=1, c=2, /", "f(1, c=3, b=2)", None),
        ("a, b=1, c=2", "b=1, a=1, /, c=2", "f(1)", "left out"),
    ],
)
def test_what_cannot_be_told_is_left_alone(before: str, after: str, call: str, why: str | None) -> None:
    """With a reason, for a person who looks at it."""
    if why is None:
        assert result(before, after, call) == "f(1, 2, 3)"
        return
    with pytest.raises(LeftAloneError, match=why):
        result(before, after, call)


def test_methods() -> None:
    """The receiver is no argument, unless the method is called on its class."""
    before, after = "class A:\n    def f(self, a, b): ...\n", "class A:\n    def f(self, b, a): ...\n"
    found = follow(before, after, "x.f(1, 2)\n")
    assert found is not None
    assert found.apply("x.f(1, 2)") == "x.f(2, 1)"
    for call in ("A.f(x, 1, 2)\n", "module.A.f(x, 1, 2)\n", "f(1, 2)\n"):
        with pytest.raises(LeftAloneError, match="called on"):
            follow(before, after, call)
    old, new = (text.replace("    def", "    @classmethod\n    def") for text in (before, after))
    found = follow(old, new, "A.f(1, 2)\n")
    assert found is not None
    assert found.apply("A.f(1, 2)") == "A.f(2, 1)"


def test_a_decorator_that_is_not_known_may_change_what_is_taken() -> None:
    assert follow("@inject\ndef f(a, b): ...\n", "@inject\ndef f(b, a): ...\n", "f(1, 2)\n") is None
    found = follow("@cache\ndef f(a, b): ...\n", "@cache\ndef f(b, a): ...\n", "f(1, 2)\n")
    assert found is not None


def test_a_name_that_is_not_called() -> None:
    for text in ("g(f)\n", "f.g(1)\n", "x = f\n"):
        names = tree(text)
        name = names.name_at(text.index("f"))
        assert name is not None
        assert call_of(names, name) is None


def test_typescript() -> None:
    found = follow("function f(a, b) {}", "function f(b) {}", "f(1, 2);", "typescript")
    assert found is not None
    assert found.apply("f(1, 2);") == "f(2);"
    for before, after, call in (
        ("a", "b, a", "f(...x);"),
        ("a, b", "a, ...b", "f(1, 2);"),
        ("a, b", "a, c = 1, b", "f(1, 2);"),
    ):
        with pytest.raises(LeftAloneError):
            follow(f"function f({before}) {{}}", f"function f({after}) {{}}", call, "typescript")


NAMES = ["a", "b", "c", "d"]


@st.composite
def parameters(draw: st.DrawFn) -> str:
    """Any list of parameters that Python accepts: some by position only, some by keyword only, some with defaults."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]
    split = draw(st.integers(0, len(names)))
    first_default = draw(st.integers(0, split))
    parts = [f"{name}='-{name}'" if at >= first_default else name for at, name in enumerate(names[:split])]
    slash = draw(st.integers(0, split))
    if slash:
        parts.insert(slash, "/")
    if names[split:]:
        parts += ["*", *(draw(st.sampled_from([name, f"{name}='-{name}'"])) for name in names[split:])]
    return ", ".join(parts)


@given(parameters(), parameters(), st.data())
def test_each_parameter_gets_the_value_that_it_had(before: str, after: str, data: st.DataObject) -> None:
    """By Python's own rules of calls: what both have keeps its value, and what was not given is not given."""
    old, new = (_signature(one) for one in (before, after))
    given_names = data.draw(st.sets(st.sampled_from([*old.parameters] or ["none"])))
    values = {name: f"'{name}'" for name in given_names & old.parameters.keys()}
    words = _written(old, values)
    assume(words is not None)
    call = f"f({words})"
    try:
        found = follow(f"def f({before}): ...\n", f"def f({after}): ...\n", call)
    except LeftAloneError:
        return
    text = found.apply(call) if found else call
    gaps = set(GAP.findall(text))
    bound = eval(GAP.sub(r"'+\1'", text), {"f": lambda *args, **kwargs: new.bind(*args, **kwargs).arguments})
    assert {name: bound.pop(name) for name in gaps} == {name: f"+{name}" for name in gaps}
    assert not gaps & values.keys()
    both = old.parameters.keys() & new.parameters.keys()
    kept = {name: value for name, value in bound.items() if name in both}
    assert kept == {name: name for name in values if name in both}


def _signature(listed: str) -> inspect.Signature:
    scope: dict[str, object] = {}
    exec(f"def f({listed}): ...", scope)
    return inspect.signature(scope["f"])  # type: ignore[arg-type]


def _written(signature: inspect.Signature, values: dict[str, str]) -> str | None:
    """Arguments that give these values, by position where that is possible; None if the call would be refused."""
    words, is_gap = [], False
    for name, parameter in signature.parameters.items():
        if name not in values:
            is_gap = True
            if parameter.default is inspect.Parameter.empty:
                return None
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY or is_gap:
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                return None
            words.append(f"{name}={values[name]}")
        else:
            words.append(values[name])
    return ", ".join(words)


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("@classmethod\n    def f(cls, a):\n        return cls(1), cls.x(2), g(cls), g(cls=3)\n", 1),
        ("def f(cls):\n        return cls(1)\n", 0),  # of a metaclass
        ("@classmethod\n    def f(cls):\n        cls = B\n        return cls(1)\n", 0),
        ("@classmethod\n    def f(cls):\n        return [cls(1) for cls in ALL]\n", 0),
        ("@classmethod\n    def f(cls):\n        return lambda cls: cls(1)\n", 0),
        ("@classmethod\n    def f(cls):\n        return lambda x, cls=B: cls(1)\n", 0),
        ("@classmethod\n    def f(cls):\n        for _, cls in ALL:\n            cls(1)\n", 0),
        ("@classmethod\n    def f(cls):\n        with g() as cls:\n            cls(1)\n", 0),
        ("@classmethod\n    def f(cls):\n        return (cls := B)(1), cls(2)\n", 0),
    ],
)
def test_the_class_is_called_where_cls_is_nothing_else(method: str, count: int) -> None:
    text = tree(f"class A:\n    {method}")
    assert len(list(calls_of_own_class(text, text.root.named_children[0]))) == count
