"""Laws of showing what a file declares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.prompt.outline import outline

PIECES = [
    "class A",
    "def f",
    "(x)",
    ":",
    "\n",
    "    ",
    "'''doc'''",
    "export ",
    "{",
    "}",
    "=",
    "1",
    "é👍",
    "template<",
    ">",
]


def texts(language: str, source: str) -> dict[str, str]:
    return {definition.name: definition.text for definition in outline(source, language)}


def test_a_python_class_becomes_its_members_signatures() -> None:
    source = '''
@dataclass(frozen=True)
class Point(Base):
    """A place.

    Long story.
    """

    x: int
    names: dict[str, int] = field(
        default_factory=dict,
    )
    _hidden: int = 0

    def __init__(self, x: int,
                 y: int = 0) -> None:  # why
        """Make it."""
        # a comment before the body
        self.x = x
        self.total: int = x + y
        self._cache = {}

    @classmethod
    async def load(cls, path: str) -> "Point":
        return cls(1)

    def _private(self): ...

    class Meta:
        ordering = ["x"]
'''
    assert texts("python", source) == {
        "Point": '''@dataclass(frozen=True)
class Point(Base):
    """A place."""
    x: int
    names: dict[str, int] = field( default_factory=dict, )
    def __init__(self, x: int,
                 y: int = 0) -> None:
        self.x = x
        self.total: int = x + y
    @classmethod
    async def load(cls, path: str) -> "Point": ...
    class Meta: ...
'''
    }


def test_python_functions_constants_and_guarded_declarations() -> None:
    source = (
        "LIMIT = 3\ntry:\n    import x\nexcept E:\n    def f(a):\n        '''Do.'''\n        return 1\nx.y = 2\nf()\n"
    )
    assert texts("python", source) == {"LIMIT": "LIMIT = 3\n", "f": 'def f(a):\n    """Do."""\n'}


def test_only_what_stands_at_the_top_is_declared() -> None:
    source = "def outer():\n    def inner(): pass\n    local = 1\n"
    assert list(texts("python", source)) == ["outer"]
    assert list(texts("typescript", "function f() { const x = 1; function g() {} }")) == ["f"]


def test_long_declarations_are_cut() -> None:
    members = "".join(f"    def m{number}(self): ...\n" for number in range(500))
    assert texts("python", f"class Big:\n{members}")["Big"].count("\n") == 41
    fields = "".join(f"  f{number}: number;\n" for number in range(500))
    interface = texts("typescript", f"interface Big {{\n{fields}}}")["Big"]
    assert interface.count("\n") == 30
    assert interface.endswith(" …\n")


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("typescript", "export abstract class A {}\nnamespace N { export enum E { X } }", "A E"),
        ("typescript", "declare function z(): void;", "z"),
        ("typescriptreact", "export const App = () => <b/>;\n", "App"),
        ("javascript", "export default function () {}\nvar old = 1, two = 2;", "default old two"),
        ("javascript", "async function* g() {}", "g"),
        ("java", "public record P(int x) {}\n@interface N {}\nsealed interface S {}", "P N S"),
        ("c", "struct fwd;\nunion u { int a; };\nchar **names(int n);\nextern int count;\n", "u names count"),
        ("cpp", 'extern "C" { int f(int); }', "f"),
        ("cpp", "namespace a::b { class C {}; enum class E { X }; using I = int; }", "C E I"),
        ("go", "type (\n\tA int\n\tB struct{}\n)\nconst (\n\tX = iota\n\tY\n)\nvar e = 1\n", "A B X Y e"),
        ("rust", "pub const M: i32 = 1;\nmacro_rules! m { () => {} }", "M m"),
        ("rust", "mod inner { pub fn q() {} }\ntype T = i32;", "q T"),
    ],
)  # fmt: skip
def test_every_kind_of_declaration_has_its_name(language: str, source: str, names: str) -> None:
    assert list(texts(language, source)) == names.split()


def test_a_method_outside_its_type_knows_its_owner() -> None:
    go = outline("func (l *List[T]) Push(x T) int { return 0 }\n", "go")
    rust = outline("impl<T: Ord> fmt::Debug for Heap<T> { fn fmt(&self) {} }\n", "rust")
    assert [(each.name, each.owner) for each in go + rust] == [("Push", "List"), ("Heap", "Heap")]


def test_private_members_are_not_shown() -> None:
    java = texts("java", "class A { private int a; protected void b() {} public void c() {} static { x(); } }")
    assert java["A"] == "class A {\n    public void c();\n}\n"
    web = texts("typescript", "class A { #a = 1; private b() {} c() {} }")
    assert web["A"] == "class A {\n    c();\n}\n"
    cpp = texts("cpp", "class A { int a; public: int b; protected: int c; public: int d(); };")
    assert cpp["A"] == "class A {\n    int b;\n    int d();\n}\n"
    rust = texts("rust", "impl A { fn a(&self) {} pub fn b(&self) {} }")
    assert rust["A"] == "impl A {\n    pub fn b(&self);\n}\n"


@given(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.sampled_from(["python", "typescript", "cpp", "rust", "go", "java", "c"]),
)
def test_any_text_has_an_outline_of_whole_lines(source: str, language: str) -> None:
    for definition in outline(source, language):
        assert definition.name
        assert definition.text.endswith("\n")


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("c", "#if 1\n" * 3000 + "int f(int);\n" + "#endif\n" * 3000),
        ("c", "int " + "*" * 3000 + "f(void);"),
        ("cpp", "template<class T> " * 3000 + "void f();"),
        ("cpp", "namespace a {" * 3000 + "}" * 3000),
        ("python", "".join(" " * depth + "if x:\n" for depth in range(1500))),
    ],
)
def test_endless_nesting_ends(language: str, source: str) -> None:
    assert len(outline(source + "\n", language)) <= 1


def test_a_language_without_a_grammar_declares_nothing() -> None:
    assert outline("x", "cobol") == []
