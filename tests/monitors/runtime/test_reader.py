"""What the syntax tree of a file says about names that are made at run time."""

import time

import pytest

from guiderail.monitors.runtime.reader import read_facts


def makes_up(body: str) -> bool:
    facts = read_facts(body)
    assert facts is not None
    found = facts.class_named("A")
    assert found is not None
    return found.makes_names_up


@pytest.mark.parametrize(
    "body",
    ["setattr(self, name, 1)", "self.__dict__.update(name)", "self.__dict__[name] = 1", "self.__dict__ = name",
     "vars(self)[name] = 1", "vars(self).update(name)", "self.__dict__ |= name", "object.__setattr__(self, name, 1)",
     "super().__setattr__(name, 1)", "setattr(type(self), name, 1)", "setattr(self.__class__, name, 1)",
     "setattr(A, name, 1)", "d = self.__dict__; d.update(name)", "d = vars(self); d[name] = 1",
     "d = self.__dict__; d |= name", "made = A(); setattr(made, name, 1)", "me = self; setattr(me, name, 1)",
     "made = type(self)(); setattr(made, name, 1)", "list(map(self.__setattr__, name, name))",
     "partial(setattr, self)(name, 1)", "exec(name, self.__dict__)"],
)  # fmt: skip
def test_a_class_that_sets_members_by_name(body: str) -> None:
    """However it is spelt, and whatever the method's object is called."""
    assert makes_up(f"class A:\n    def f(self, name):\n        {body}\n")
    assert makes_up(f"class A:\n    def f(_self, name):\n        {body.replace('self', '_self')}\n")
    assert makes_up(f"class A:\r\n    def f(self, name):\r\n        {body}\r\n")


@pytest.mark.parametrize(
    "body",
    ["setattr(self, 'size', 1)", "return self.__dict__", "return vars(self)", "setattr(self.other.thing, name, 1)",
     "return dict(self.__dict__)", "getattr(self, name)",
     "d = self.__dict__; return d[name]", "d = dict(self.__dict__); d.update(name)", "print(self)",
     "self.__setattr__('a', 1)", "return self.__dict__[name]", "x = {}; x.update(name)"],
)  # fmt: skip
def test_a_class_that_only_reads_them(body: str) -> None:
    """Reading by name, and setting a name that the text shows, adds nothing unknown."""
    assert not makes_up(f"class A:\n    def f(self, name):\n        {body}\n")


@pytest.mark.parametrize(
    "text",
    ["class A:\n    @classmethod\n    def f(cls, n):\n        out = cls()\n        setattr(out, n, 1)",
     "class A:\n    def __new__(cls, n):\n        out = object.__new__(cls)\n        setattr(out, n, 1)",
     "def f(n):\n    a = A()\n    setattr(a, n, 1)\nclass A: ...",
     "class A: ...\ndef f(n):\n    a = A()\n    a.__dict__.update(n)",
     "class A:\n    exec(source)"],
)  # fmt: skip
def test_a_class_whose_objects_get_members_by_name(text: str) -> None:
    """Where they have just been made, and in its body."""
    assert makes_up(text)


@pytest.mark.parametrize(
    ("bases", "is_item"),
    [("found[0]", True), ("FOUND['x']", True), ("list[int]", False), ("Base['A']", False), ("m.Base[T]", False),
     ("Other[T]", False)],
)  # fmt: skip
def test_a_base_that_is_an_item(bases: str, is_item: bool) -> None:
    """A generic class with its arguments is none."""
    facts = read_facts(f"import m\nfrom m import Base\nfound = m.bases()\nclass A({bases}): ...\nclass Other: ...\n")
    assert facts is not None
    found = facts.class_named("A")
    assert found is not None
    assert (found.bases == ("?()",)) is is_item


@pytest.mark.parametrize(
    ("text", "is_computed"),
    [
        ("A = namedtuple('A', NAMES)", True),
        ("A = namedtuple('A', ('left', RIGHT))", True),
        ("A = namedtuple('A', 'left right', defaults=(1,))", False),
        ("A = namedtuple('A', ['left', 'right'])", False),
        ("A = namedtuple(*given)", True),
        ("A = namedtuple('A', field_names=NAMES)", True),
        ("A = Enum('A', {name: 1 for name in NAMES})", True),
        ("A = enum.Enum('A', 'left right', module=__name__)", False),
        ("A = enum.IntFlag('A', {'left': 1})", False),
        ("A = NamedTuple('A', [('left', int), ('right', Optional[int])])", False),
        ("A = make_dataclass('A', fields)", True),
        ("A = create_model('A', size=(int, 3))", True),
        ("A = type('A', (), {})", True),
    ],
)
def test_a_class_that_a_call_makes(text: str, is_computed: bool) -> None:
    """Its members are known if the call writes them out."""
    assert makes_up(text) is is_computed


@pytest.mark.parametrize(
    "text",
    ["globals()[name] = 1", "globals().update(names)", "names = globals()\nnames[x] = 1", "build(names, globals())",
     "sys.modules[__name__] = Module()", "setattr(sys.modules[__name__], name, 1)", "def __getattr__(name): ...",
     "__getattr__, __dir__, __all__ = attach(__name__)", "vars()[name] = 1", "exec(source)",
     "def f():\n    globals()[name] = 1", "IntEnum._convert_('Family', __name__, wanted)"],
)  # fmt: skip
def test_a_module_that_fills_itself(text: str) -> None:
    facts = read_facts(text)
    assert facts is not None
    assert facts.makes_names_up


@pytest.mark.parametrize(
    "text",
    [
        "globals()['size'] = 1",
        "x = globals()['y']",
        "def f():\n    exec(source)",
        "'a' in globals()",
        "dict(globals())",
    ],
)
def test_a_module_that_does_not(text: str) -> None:
    """It reads its names, or sets one that the text shows."""
    facts = read_facts(text)
    assert facts is not None
    assert not facts.makes_names_up


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x.a = 1", "a"), ("x.a: int = 1", "a"), ("x.a, (y.b, *z.c) = d", "a b c"), ("x.a += 1", "a"),
        ("for x.a in y: ...", "a"), ("with f() as x.a: ...", "a"), ("del x.a", "a"), ("hasattr(x, 'a')", "a"),
        ("getattr(x.y, 'a', None)", "a"), ("x.y.a = z.b = 1", "a b"), ("class A:\n    def f(self): self.a = 1", ""),
        ("class A:\n    def f(self, other): other.a = 1", "a"), ("'x.a = 1'", ""), ("# x.a = 1", ""),
    ],
)  # fmt: skip
def test_members_that_are_set_from_outside(text: str, names: str) -> None:
    """By any kind of target, or asked for by name; what a method sets on its own object is its class's."""
    facts = read_facts(text)
    assert facts is not None
    assert facts.outside == set(names.split())


def test_what_a_condition_binds_is_bound() -> None:
    """On some platform, or in some version."""
    platform = "if sys.platform == 'win32':\n    def start(): ...\nelse:\n    from b import c as d\n"
    facts = read_facts(f"{platform}try:\n    import e\nexcept x: ...")
    assert facts is not None
    assert facts.names == {"start", "d", "e"}


def test_a_text_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    front = "class A(B):\n    def f(self):\n        self.a = 1\n        x = self."
    facts = read_facts(f"{front}\n\n    def g(self): ...\n")
    assert facts is not None
    found = facts.class_named("A")
    assert found is not None
    assert {"f", "a"} <= found.names


@pytest.mark.parametrize(
    "text",
    ["x" + ".a" * 20_000 + " = 1", "(" * 5_000 + "x.a" + ",)" * 5_000 + " = 1", "f(" * 3_000 + ")" * 3_000,
     "class A:\n" + "    def f(self): self.a = 1\n" * 5_000, "hasattr(x, '" + "a" * 100_000 + "')",
     "class A: ...\n" * 9_000 + "def f():\n" + "    x.a = y.b\n" * 9_000],
    ids=["chain", "tuple", "calls", "methods", "string", "classes"],
)  # fmt: skip
def test_odd_texts_are_read_in_time(text: str) -> None:
    """However deep, long or many its parts are: in seconds, where what grows with their square takes minutes."""
    began = time.thread_time()
    read_facts.__wrapped__(text)
    assert time.thread_time() - began < 5
