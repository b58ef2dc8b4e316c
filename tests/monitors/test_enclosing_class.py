"""Whose method a cursor is in, and which members no analyser sees."""

import pytest

from guiderail.monitors.enclosing_class import EnclosingClass, enclosing_class_of
from guiderail.monitors.lex_state import lex_state

REST = "\n\n    def later(self): ...\n"


def owner(text: str, rest: str = REST, receiver: str = "self") -> EnclosingClass | None:
    return enclosing_class_of(text, lex_state(text, "python").statement_start, rest, receiver)


def method(body: str, name: str = "A", header: str = "def f(self, x):") -> str:
    return f"class {name}:\n    {header}\n        {body}"


@pytest.mark.parametrize(
    "text",
    [
        method("return self."),
        method("if x:\n            return self."),
        method("g(self, x == self)\n        self.a = self.b\n        return self."),
        method("def g(y):\n            return self."),
        method("return self.", header="async def f[T](\n        self,\n        x: T = 1,\n    ) -> T:"),
        "if True:\n  class A:\n    def f(self):\n        return self.",
        'class A:\n    """Text\nat the left margin.\n    """\n\n    def f(self):\n        return self.',
        "class A:\n    if True:\n        def f(self): ...\n        def g(self):\n            return self.",
    ],
)
def test_a_methods_first_parameter_is_the_classs_own(text: str) -> None:
    """Also in blocks, in functions inside, after any header, and wherever the class stands."""
    found = owner(text)
    assert found is not None
    assert found.name == "A"
    assert "def later" in found.text


@pytest.mark.parametrize(
    "text",
    [
        "self.",
        "def f(self):\n    return self.",
        method("return self.", header="def f(x, self):"),
        method("return self.", header="def f(x):"),
        method("def g(x, self):\n            return self."),
        method("self = g() or A()\n        return self."),
        method("self: object = g()\n        return self."),
        method("self, y = g()\n        return self."),
        method("y, self = g()\n        return self."),
        method("if (self := g()):\n            return self."),
        method("for self in x:\n            self."),
        method("for y, self in x:\n            self."),
        method("with g() as self:\n            self."),
        method("f = lambda self: self."),
        method("x = [self for self in x if self."),
        method("del self\n        self."),
    ],
)
def test_what_may_be_another_object_is_not(text: str) -> None:
    """Where it is no first parameter of a method, or was bound anew."""
    assert owner(text) is None


def test_a_class_is_its_methods_own_too() -> None:
    """cls in a class method; not where it stands for another class now."""
    assert owner(method("return cls.", header="def f(cls):"), receiver="cls") is not None
    bound = method("cls = getattr(x, 'A', cls)\n        return cls.", header="def f(cls, x):")
    assert owner(bound, receiver="cls") is None


@pytest.mark.parametrize("name", ["PathMixin", "mixin", "_Mix_In", "MixinPath"])
def test_objects_of_a_mixin_have_more(name: str) -> None:
    """They are of a class that it is mixed into; also inside another class."""
    for text in (method("return self.", name), f"class B:\n  class {name}:\n    def f(self):\n      self."):
        found = owner(text)
        assert found is not None
        assert found.is_mixin


@pytest.mark.parametrize(
    ("statement", "members"),
    [
        ('__slots__ = ("_left", "_right")', {"_left", "_right"}),
        ("__slots__ = [\n        '_left',\n    ]", {"_left"}),
        ("__slots__ = '_left'", {"_left"}),
        ("__slots__ = ()", set()),
        ("def g(self):\n        return hasattr(self, 'one') and getattr(self, \"two\", None)", {"one", "two"}),
        ("def g(self):\n        return getattr(other, 'one')", set()),
    ],
)
def test_what_a_class_reserves_or_asks_for_is_a_member(statement: str, members: set[str]) -> None:
    """It may be set where the object is made, where no analyser looks."""
    found = owner(f"class A:\n    {statement}\n\n    def f(self):\n        return self.")
    assert found is not None
    assert found.members == members


def test_bases_that_name_each_other_end() -> None:
    """What no Python would run is read all the same."""
    found = owner("class B(A): ...\nclass A(B, A):\n    def f(self):\n        return self.")
    assert found is not None
    assert not found.is_mixin
