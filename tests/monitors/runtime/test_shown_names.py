"""Names that are set or answered by their text, where the text shows which they are."""

import pytest

from guiderail.monitors.runtime.facts import ClassFacts, FileFacts
from guiderail.monitors.runtime.reader import read_facts


def read(text: str) -> FileFacts:
    facts = read_facts(text)
    assert facts is not None
    return facts


def made(text: str) -> ClassFacts:
    found = read(text).class_named("A")
    assert found is not None
    return found


def method(body: str, header: str = "def f(self, given):") -> str:
    lines = body.replace("\n", "\n        ")
    return f"TABLE = ('a', 'b')\nclass A:\n    {header}\n        {lines}\n"


@pytest.mark.parametrize(
    "body",
    ["for name in ('a', 'b'):\n    setattr(self, name, 1)", "for name in TABLE: setattr(self, name, 1)",
     "for name, value in {'a': 1, 'b': 2}.items(): setattr(self, name, value)",
     "for name, value in [('a', 1), ('b', 2)]: self.__dict__[name] = value",
     "for name in sorted(['a', 'b']): object.__setattr__(self, name, 1)",
     "for name in TABLE: super().__setattr__(name, 1)", "self.__dict__.update(a=1, b=2)",
     "self.__dict__.update({'a': 1}, b=2)", "self.__dict__ = {'a': 1, 'b': 2, **self.__dict__}",
     "vars(self)['a'] = vars(self)['b'] = 1", "self.__dict__.setdefault('a', 1)\nself.__dict__['b'] = 1",
     "self.__dict__ |= {'a': 1, 'b': 2}", "d = self.__dict__\nd.update(a=1)\nd['b'] = 2",
     "for name in TABLE: setattr(type(self), name, 1)"],
)  # fmt: skip
def test_names_that_the_text_shows(body: str) -> None:
    """In a loop over a collection that is written out, or as the keys of a dictionary."""
    for text in (method(body), method(body).replace("\n", "\r\n"), method(body.replace("self", "me"), "def f(me):")):
        found = made(text)
        assert not found.makes_names_up
        assert {"a", "b"} <= found.names | read(text).outside


@pytest.mark.parametrize(
    "body",
    ["for name in given: setattr(self, name, 1)", "for name in 'ab': setattr(self, name, 1)",
     "for name in ('a', given): setattr(self, name, 1)", "for name in (*given, 'a'): setattr(self, name, 1)",
     "for value, name in (('x', 'a'),): setattr(self, name, value)",
     "for name, value in self.items(): setattr(self, name, value)", "for name in self: setattr(self, name, 1)",
     "for name in self.given.__dict__: setattr(self, name, 1)", "self.__dict__.update(a=1, **given)",
     "self.__dict__.update({given: 1})", "self.__dict__ = {**given}", "self.__dict__ = dict(given)",
     "self.__dict__.update(given.__dict__)", "self.__dict__ = self", "self.__dict__.setdefault(given, 1)",
     "for name in ('a', 'b'):\n    for name in given: setattr(self, name, 1)",
     "try: getattr(self, given)\nexcept AttributeError: setattr(self, given, 1)",
     "setattr(self, given, 1)\ngetattr(self, given)", "if not hasattr(self, given): setattr(self, given, 1)",
     "made = copy(self)\nmade.__dict__.update(given)", "made = super().copy()\nmade.__dict__.update(given)",
     "made = object.__new__(type(self))\nmade.__dict__.update(given)", "made = A.build()\nmade.__dict__ = given",
     "dict.update(self.__dict__, given)"],
)  # fmt: skip
def test_names_that_it_does_not_show(body: str) -> None:
    """Where any part is computed, or the collection is another object's."""
    assert made(method(body)).makes_names_up


@pytest.mark.parametrize(
    "body",
    ["made = type(self)()\nmade.__dict__.update(self.__dict__)", "made = A()\nmade.__dict__ = self.__dict__.copy()",
     "made = A()\nmade.__dict__ = dict(vars(self))", "made = A()\nmade.__dict__ = copy.copy(self.__dict__)",
     "for name, value in vars(self).items(): setattr(made, name, value)",
     "for name in list(self.__dict__): setattr(self, name, None)", "for name in dir(self): setattr(made, name, 1)",
     "for name in self.__slots__: setattr(made, name, getattr(self, name))",
     "if getattr(self, given) != 1: setattr(self, given, 1)",
     "for name in self.names:\n    if getattr(self, name) != 1: setattr(self, name, 1)",
     "for one in fields(self): print(one)\nfor name in self.__annotations__: setattr(self, name, 1)"],
)  # fmt: skip
def test_what_is_copied_was_there(body: str) -> None:
    """From the object itself, or another of its class."""
    assert not made(method(body)).makes_names_up


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("def __setstate__(self, given):", "self.__dict__.update(given)"),
        ("def __setstate__(self, given):", "for k, v in given.items(): setattr(self, k, v)"),
        ("def __deepcopy__(self, given):", "made = copy(self)\nmade.__dict__.update(given)"),
        ("def __setattr__(self, key, value):", "super().__setattr__(key, value)"),
        ("def __setattr__(self, key, value):", "self.__dict__[key] = value"),
        ("def __setattr__(self, key, value):", "object.__setattr__(self, key, value)"),
        ("def f(self, other):", "other.__dict__.update(given)"),
        ("def __get__(self, instance, owner):", "instance.__dict__[self.name] = 1"),
        ("def f(self):", "config.option.__dict__.update(given)"),
        ("def f(self):", "self.keywords.update(self.obj.__dict__)"),
        ("def f(self, module):", "exec(code, module.__dict__)"),
        ("def f(self):", "made = types.ModuleType('config')\nexec(code, made.__dict__)"),
        ("def f(self, cls):", "made = cls.__new__(cls)\nmade.__dict__.update(given)"),
        ("def f(self, given):", "made = given()\nmade.__dict__ = given"),
    ],
)
def test_statements_that_add_nothing_to_the_class(header: str, body: str) -> None:
    """They restore, pass on what a statement names, or are about other objects."""
    assert not made(method(body, header)).makes_names_up


ANSWERS = [
    ("if name == 'a': return 1\nraise AttributeError(name)", {"a"}),
    ("if name in ('a', 'b'):\n    return load(name)\nraise AttributeError(f'no {name}')", {"a", "b"}),
    ("if name in TABLE:\n    return TABLE[name]\nraise AttributeError", {"t"}),
    ("if name not in TABLE:\n    raise AttributeError(name)\nreturn import_module(TABLE[name])", {"t"}),
    ("if name == 'a': return 1\nelif 'b' == name: return 2\nelse:\n    raise AttributeError(name)", {"a"}),
    ("if name == 'a' and ready(): return 1\nraise AttributeError(name)", {"a"}),
    ("if name == 'a':\n    warnings.warn(name)\n    return 1\nraise AttributeError(name)", {"a"}),
    ("return load(name)", None),
    ("return 1", None),
    ("...", None),
    ("if name == 'a': raise AttributeError(name)\nreturn load(name)", None),
    ("if name.startswith('get_'): return 1\nraise AttributeError(name)", None),
    ("if name == 'a' or name[0] == 'b': return 1\nraise AttributeError(name)", None),
    ("if name in OTHER: return 1\nraise AttributeError(name)", None),
    ("if name in 'abc': return 1\nraise AttributeError(name)", None),
    ("try:\n    return load(name)\nexcept KeyError:\n    raise AttributeError(name) from None", None),
    ("if not ready(): raise AttributeError(name)\nreturn 1", None),
    ("if name == 'a': raise AttributeError(name)", None),
    ("if name != 'a': return 1\nraise AttributeError(name)", None),
]


@pytest.mark.parametrize(("body", "names"), ANSWERS)
def test_what_a_function_for_missing_names_answers(body: str, names: set[str] | None) -> None:
    """Of a module and of a class: the names that it compares with, if it raises for all others."""
    lines = body.replace("\n", "\n    ")
    module = read(f"def __getattr__(name):\n    {lines}\n\nTABLE = {{'t': 1}}\n")
    assert module.makes_names_up is (names is None)
    assert not module.fills_itself
    assert (names or set()) <= module.names
    deeper = body.replace("\n", "\n        ")
    own = made(f"class A:\n    def __getattr__(self, name):\n        {deeper}\n\nTABLE = {{'t': 1}}\n")
    assert own.answers_any is (names is None)
    assert (names or set()) <= own.names


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ("return super().__getattribute__(name)", False),
        ("if name == 'a': return 1\nreturn object.__getattribute__(self, name)", False),
        ("if name == 'a': return 1\nreturn getattr(self.other, name)", True),
    ],
)
def test_what_hands_names_on_to_its_base_answers_none(body: str, answers: bool) -> None:
    lines = body.replace("\n", "\n        ")
    assert made(f"class A:\n    def __getattribute__(self, name):\n        {lines}\n").answers_any is answers


METACLASS = "class A(type):\n    def __new__(mcs, name, bases, ns, **more):\n        "


@pytest.mark.parametrize(
    ("body", "added"),
    [
        ("return super().__new__(mcs, name, bases, ns, **more)", set()),
        ("made = type.__new__(mcs, name, bases, ns)\n        made.extra = 1\n        return made", set()),
        ("ns['extra'] = 1\n        return super().__new__(mcs, name, bases, ns)", {"extra"}),
        ("ns.setdefault('extra', ())\n        return super().__new__(mcs, name, bases, ns)", {"extra"}),
        ("if 'extra' in ns: register(ns['extra'])\n        return super().__new__(mcs, name, bases, ns)", {"extra"}),
        ("for k, v in ns.items(): ns[k] = v()\n        return super().__new__(mcs, name, bases, ns)", set()),
        ("for k in given: ns[k] = 1\n        return super().__new__(mcs, name, bases, ns)", None),
        ("ns.update(given)\n        return super().__new__(mcs, name, bases, ns)", None),
        ("fill(ns)\n        return super().__new__(mcs, name, bases, ns)", None),
        ("ns = dict(ns, a=1)\n        return super().__new__(mcs, name, bases, ns)", None),
        ("return super().__new__(mcs, name, bases, {**ns, **given})", None),
        ("return make(name)", None),
    ],
)
def test_names_that_a_metaclass_gives(body: str, added: set[str] | None) -> None:
    """Beside those of a class's body: any, if it does not hand these on as they are."""
    found = made(METACLASS + body).added
    assert (found is None) is (added is None)
    assert (added or set()) <= (found or set())


@pytest.mark.parametrize(
    ("method", "may_give_any"),
    [
        ("def __call__(cls, *args):\n        return super().__call__(*args)", False),
        ("def __call__(cls, *args):\n        raise TypeError", False),
        ("def __call__(cls, *args):\n        return registry[args]", True),
        ("def __prepare__(name, bases):\n        return Names()", True),
        ("def __init__(cls, name, bases, ns):\n        super().__init__(name, bases, ns)", False),
    ],
)
def test_other_methods_of_a_metaclass(method: str, may_give_any: bool) -> None:
    assert (made(f"class A(type):\n    {method}\n").added is None) is may_give_any
