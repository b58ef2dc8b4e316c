"""Where a name after a dot is being written, and when an analyser's list may be relied on."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from guiderail.monitors.analysis.answers import Member, Members, TypePlace
from guiderail.monitors.dereference import Dereference, legal_names
from guiderail.monitors.lex_state import lex_state
from guiderail.monitors.member_access import MemberAccess, find_member_access
from tests.monitors.snapshots import listing, snapshot

if TYPE_CHECKING:
    from guiderail.monitors.masks import Masks


def site(text: str, language: str = "python") -> MemberAccess | None:
    return find_member_access(text, lex_state(text, language), language)


@pytest.mark.parametrize(
    ("text", "written"),
    [("x.", ""), ("f(a.b", "b"), ("f(1).", ""), ("a[0].n", "n"), ('"".jo', "jo"), ("(x\n  .y", "y"), ("größe.ä", "ä")],
)
def test_a_dot_behind_an_expression(text: str, written: str) -> None:
    """A dereference is found after names, calls, indices and literals, with what is typed of its name."""
    found = site(text)
    assert found is not None
    assert found.written == written
    assert found.name_start == len(text) - len(written)


@pytest.mark.parametrize(
    "text",
    ["", "x", "x. ", "1.", "x = 1_0.", "x = .", "x[...", "# a.", "'a.", '"""a\nb.', "from .", "from a.", "import os.",
     "x = 3\n.", "x = 1.e", "f'{a."],
)  # fmt: skip
def test_other_dots(text: str) -> None:
    """Numbers, ellipses, imports, strings, comments and dots after nothing are no dereferences."""
    assert site(text) is None


@pytest.mark.parametrize(
    "text",
    ["self.", "    self.", "cls.na", "a = 1; self.", "self.a, self.", "(self.a, self.", "for self.", "x.__class__.",
     "with f() as self.", "self.a[0], self.", "*self.", "self.a, (self.", "self.a, (self.b, *self.", "[self.a, self.",
     "((self.a, self.b), self."],
)  # fmt: skip
def test_a_name_may_be_defined_here(text: str) -> None:
    """Where a statement may turn out to assign to a member of one's own object, the member need not exist yet."""
    found = site(text)
    assert found is not None
    assert found.may_define


@pytest.mark.parametrize(
    "text",
    ["x = self.", "return self.", "f(self.", "if self.", "self.a == self.", "other.", "self.a.", "del self.",
     "await self.", "x[self.", "self.f(self.", "[x for x in self."],
)  # fmt: skip
def test_a_name_must_exist_here(text: str) -> None:
    """Where a member can only be read, or the object is another's, the member must exist."""
    found = site(text)
    assert found is not None
    assert not found.may_define


@pytest.mark.parametrize(
    ("text", "may_chain", "may_set"),
    [("self.a = self.", True, False), ("self.a = self.b = self.", True, False), ("x.a = y.", True, False),
     ("x = self.", False, False), ("self.a == self.", False, False), ("f(self.a = self.", False, False),
     ("x.", False, True), ("logging.", False, True), ("a, x.", False, True), ("for x.", False, True),
     ("print(x.", False, False), ("return x.", False, False), ("'a'.", False, False)],
)  # fmt: skip
def test_a_member_of_another_object_may_be_set_here(text: str, may_chain: bool, may_set: bool) -> None:
    """Where a statement may assign to it; a chain of assignments may go on with one."""
    found = site(text)
    assert found is not None
    assert (found.may_chain, found.may_set) == (may_chain, may_set)


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        ("\n    y.b,\n)\n", "f(\n    x.,\n    y.b,\n)\n"),
        ("  # why\n    y\n)\n", "f(\n    x.,  # why\n    y\n)\n"),
        ("\r\n    'y'\r\n)\r\n", "f(\n    x.,\r\n    'y'\r\n)\r\n"),
        ("\n    for x in y\n)\n", "f(\n    x.\n    for x in y\n)\n"),
        ("\n    or y\n)\n", "f(\n    x.\n    or y\n)\n"),
        ("\n)\n", "f(\n    x.\n)\n"),
    ],
)
def test_a_comma_parts_a_dot_from_the_line_below(rest: str, shown: str) -> None:
    """In brackets a name below would be read as the member; a keyword goes on with the expression."""
    trigger = Dereference().trigger(snapshot("f(\n    x.", rest))
    assert trigger is not None
    assert trigger.question.text == shown


@pytest.mark.parametrize(
    ("shown", "reason"),
    [("type[K]", None), ("type[K] | Any", "unknown type"), ("Any | type[K]", "unknown type"),
     ("type[K] | Unknown", "unknown type"), ("type[K] | type[dict[str, Any]]", None)],
)  # fmt: skip
def test_a_class_that_is_partly_unknown(shown: str, reason: str | None) -> None:
    """A union with something unknown is a doubt; a member that is partly any is none."""
    answer = Members((Member("size", 2, "int | Any"), Member("__class__", 5, shown)), complete=True)
    assert legal_names(answer, MemberAccess(0, "", may_define=False))[1] == reason


def test_literals_are_no_members() -> None:
    """Analysers offer those that a parameter takes, also where members are asked for."""
    assert legal_names(members("'x'", '"y"'), MemberAccess(0, "", may_define=False)) == (frozenset(), "unknown type")


@pytest.mark.parametrize(
    ("text", "is_likely"),
    [("x = value.", False), ("x = value._", True), ("x = Value.", True), ("x = super().", True), ("x = cls.", True),
     ("y.__str__()\nx = value.", True)],
)  # fmt: skip
def test_a_name_of_every_object_is_less_likely_where_it_is_not_called_for(text: str, is_likely: bool) -> None:
    """It is after a class, where an underscore is typed, and where the file has it already. It is always legal."""
    trigger = Dereference().trigger(snapshot(text))
    assert trigger is not None
    restriction = trigger.interpret(members("size", "__str__"))
    assert restriction.allows("__str__")
    masks = cast("Masks", SimpleNamespace(names=lambda names, *_, **__: names))
    assert restriction.legal is not None
    shown = cast("frozenset[str]", (restriction.preferred or restriction.legal)(masks))
    assert ("__str__" in shown) is is_likely


def test_a_name_that_may_be_lacking_is_not_insisted_on() -> None:
    """Where the text catches AttributeError."""
    caught = {"AttributeError": "optional", "(KeyError, AttributeError) as e": "optional", "KeyError": None}
    for error, reason in caught.items():
        trigger = Dereference().trigger(snapshot("try:\n    x = value.", f"\nexcept {error}:\n    pass\n"))
        assert trigger is not None
        assert trigger.interpret(members("size")).reason == reason


@pytest.mark.parametrize(
    ("text", "rest", "shown"),
    [
        ("f(x.ap", "\n", "f(x.)\n"),
        ("f(x.", ")\n", "f(x.)\n"),
        ("f(g[x.", ")", "f(g[x.])"),
        ("x.ap", "pend(1)\n", "x.(1)\n"),
        ("f(')', x.", "", "f(')', x.)"),
        ("y = x.", "\n    a,\n)\n", "y = x.(\n    a,\n)\n"),
        ("f([x.", "\n    a,\n))\n", "f([x.](\n    a,\n))\n"),
    ],
)
def test_the_analyser_sees_closed_brackets(text: str, rest: str, shown: str) -> None:
    """The shadow ends at the dot, brackets are made to match, and what stands after is kept."""
    trigger = Dereference().trigger(snapshot(text, rest))
    assert trigger is not None
    assert trigger.question.text == shown
    assert trigger.question.text[: trigger.question.offset].endswith("x.")


def members(*names: str, detail: str = "", complete: bool = True) -> Members:
    return Members(tuple(Member(name, 2, detail) for name in names), complete)


@pytest.mark.parametrize(
    ("answer", "where", "reason"),
    [
        (members("size"), MemberAccess(0, "", False), None),
        (members("size"), MemberAccess(0, "si", False), None),
        (members(), MemberAccess(0, "", False), "unknown type"),
        (members("__doc__", "__eq__"), MemberAccess(0, "", False), "unknown type"),
        (members("size", detail="int | Unknown"), MemberAccess(0, "", False), "unknown type"),
        (members("size", detail="list[Unknown]"), MemberAccess(0, "", False), None),
        (members("size", "__getattr__"), MemberAccess(0, "", False), "dynamic"),
        (members("size", "__getattr__", "__spec__"), MemberAccess(0, "", False), None),
        (members("size", complete=False), MemberAccess(0, "", False), "incomplete"),
        (members("size"), MemberAccess(0, "x", True), None),
        (members("size"), MemberAccess(0, "x", False), "no such name"),
        (members("size", detail="int | Unknown"), MemberAccess(0, "", is_own=True, may_define=False), None),
        (
            members("size", "__new__", detail="Unknown"),
            MemberAccess(0, "", is_own=True, may_define=False),
            "unknown type",
        ),
    ],
)
def test_reasons_to_abstain(answer: Members, where: MemberAccess, reason: str | None) -> None:
    """A list is relied on only if the type is known, its members are fixed and all listed, and one of them fits."""
    assert legal_names(answer, where)[1] == reason


CLASS = "class A{0}:\n    __slots__ = ('_left',)\n\n    def f(self, x):\n        {1}return {2}."


@pytest.mark.parametrize(
    ("name", "before", "receiver", "reason"),
    [
        ("", "", "self", None),
        ("", "self = x\n        ", "self", "unknown type"),
        ("", "", "x", "unknown type"),
        ("", "", "x.self", "unknown type"),
        ("", "", "self.x", "unknown type"),
        ("Mixin", "", "self", "dynamic"),
    ],
)
def test_a_partly_unknown_member_says_nothing_of_self(
    name: str, before: str, receiver: str, reason: str | None
) -> None:
    """The class of a method's own object is known all the same; of others, a part of the type is not."""
    trigger = Dereference().trigger(snapshot(CLASS.format(name, before, receiver), "\n"))
    assert trigger is not None
    restriction = trigger.interpret(members("size", detail="int | Unknown"))
    assert restriction.reason == reason
    assert restriction.allows("_left") is (reason != "unknown type")


@pytest.mark.parametrize(
    ("imports", "receiver", "reason"),
    [("import module", "module", "unknown type"), ("import a, module as m", "m", "unknown type"),
     ("import other as m", "m", None), ("import module.b as m", "m", None)],
)  # fmt: skip
def test_a_module_of_the_files_own_name_is_another_one(imports: str, receiver: str, reason: str | None) -> None:
    """Where it cannot be found, analysers take the file itself for it, also under another name."""
    trigger = Dereference().trigger(snapshot(f"{imports}\n\n{receiver}."))
    assert trigger is not None
    assert trigger.interpret(members("size")).reason == reason


@pytest.mark.parametrize(
    ("language", "text", "written"),
    [
        ("c", "p->", ""),
        ("c", "f(a.x, b[1].y", "y"),
        ("c", "((struct s *)p)->na", "na"),
        ("cpp", "std::vec", "vec"),
        ("cpp", "std::vector<int>::", ""),
        ("cpp", "foo()\n    .bar", "bar"),
        ("java", "list.stream()\n  .ma", "ma"),
        ("java", "int[]::n", "n"),
        ("java", "if (a) { b.", ""),
        ("java", "x.$a", "$a"),
        ("csharp", "a?.b", "b"),
        ("csharp", "a!.b", "b"),
        ("go", "fmt.Pr", "Pr"),
        ("go", "T{}.", ""),
        ("go", "`a`.", ""),
        ("rust", "f()?.b", "b"),
        ("rust", "Vec::<u8>::n", "n"),
        ("rust", "x.0.", ""),
        ("rust", "match x {}.", ""),
        ("typescript", "a?.b", "b"),
        ("typescript", "a!.b", "b"),
        ("typescript", "this.#a", "#a"),
        ("typescript", "`a`.", ""),
        ("javascript", "a.$b", "$b"),
        ("javascriptreact", "f(a.b", "b"),
        ("typescriptreact", "<A b={c.", ""),
    ],
)
def test_dereferences_of_other_languages(language: str, text: str, written: str) -> None:
    """Each language's marks are dereferences after whatever has members in it, also over lines."""
    found = site(text, language)
    assert found is not None
    assert found.written == written
    assert found.name_start == len(text) - len(written)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("c", "1."),
        ("c", "x = 0x1f."),
        ("c", '#include "a.'),
        ("c", "{ ."),
        ("cpp", "::"),
        ("cpp", "namespace a::"),
        ("cpp", "using a::"),
        ("cpp", "a > b; public:"),
        ("cpp", "x ? a :"),
        ("java", "import a."),
        ("java", "package a."),
        ("java", "case 1 ->"),
        ("java", "String..."),
        ("csharp", "using a."),
        ("csharp", "x => y >"),
        ("go", "f(a..."),
        ("rust", "use a::"),
        ("rust", "pub(crate) use a::"),
        ("rust", "0.."),
        ("rust", "a.."),
        ("rust", "fn f() ->"),
        ("typescript", "[..."),
        ("typescript", "x ? ."),
        ("typescript", "x: number >"),
        ("javascript", "// a."),
    ],
)
def test_what_is_none_in_other_languages(language: str, text: str) -> None:
    """Numbers, ranges, ellipses, imports, includes, labels and arrows of other kinds are no dereferences."""
    assert site(text, language) is None


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("this.", True),
        ("module.exports.", True),
        ("f().a.", True),
        ("if (a > b) this.", True),
        ("else this.", True),
        ("x = this.", False),
        ("if (this.", False),
        ("return this.", False),
        ("f(this.", False),
        ("const a = this.", False),
    ],
)
def test_what_javascript_may_define(text: str, may: bool) -> None:
    """In JavaScript an assignment may define a member of any object, in TypeScript and the others of none."""
    found = site(text, "javascript")
    assert found is not None
    assert found.may_define == may
    typed = site(text, "typescript")
    assert typed is not None
    assert not typed.may_define


def test_what_may_stand_instead_of_a_name() -> None:
    """After some marks something else than a name may come: an arrow's return type, a type assertion, a range."""
    for language, text in (("cpp", "f() ->"), ("go", "x."), ("rust", "a."), ("typescript", "a?.")):
        found = site(text, language)
        assert found is not None
        assert found.may_be_nameless
    found = site("a.", "typescript")
    assert found is not None
    assert not found.may_be_nameless


def test_a_type_that_takes_any_name_is_dynamic() -> None:
    """Where any name is accepted none is forbidden."""
    answer = Members((Member("a"),), complete=True, takes_any=True)
    assert legal_names(answer, MemberAccess(0, "", False), "typescript")[1] == "dynamic"


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        (
            "def __new__[Self@A: A](\n    cls: type[Self@A],\n    key: Unknown | None = None\n) -> Self@A: ...",
            "unknown type",
        ),
        ("def __new__(cls, key=None) -> Unknown", "unknown type"),
        ("Unknown", "unknown type"),
        (
            "\n@overload\ndef __new__[Self@type: type](\n    cls: type[Self@type],\n    o: object\n) -> type",
            "unknown type",
        ),
        ("def __new__(\n    cls : type[Self@A],\n    key : Unknown | None = None\n) -> Self@A: ...", None),
        ("def __new__[Self@N: N](\n    _cls: type[Self@N],\n    a: Unknown\n) -> Self@N: ...", None),
        ("def __new__(\n    cls     : type[tuple],\n    iterable: Iterable[Unknown] = ...\n) -> tuple: ...", None),
        ("def __new__[Self](cls, key: int) -> Self", None),
    ],
)
def test_a_class_that_makes_its_objects_itself_may_make_others(detail: str, reason: str | None) -> None:
    """Where `__new__` has no annotations, a member of another class may be meant."""
    members = Members((Member("add", 2), Member("__new__", 2, detail)), complete=True)
    assert legal_names(members, MemberAccess(0, "", may_define=False))[1] == reason


def test_a_package_has_the_modules_inside_it(tmp_path: Path) -> None:
    """Modules of an imported package are members of it: anything may have imported them."""
    (tmp_path / "pack" / "inner").mkdir(parents=True)
    (tmp_path / "pack" / "part.py").touch()
    for text, legal in [
        ("import os, pack.inner\npack.", True),
        ("import pack\nx = f(pack.", True),
        ("import pack as other\npack.", True),
        ("pack = 1\npack.", False),
        ("import pack\nself.pack.", False),
    ]:
        trigger = Dereference().trigger(snapshot(text, root=tmp_path))
        assert trigger is not None
        restriction = trigger.interpret(listing("add"))
        assert restriction.allows("add"), text
        assert restriction.allows("part") == restriction.allows("inner") == legal, text
        assert not restriction.allows("nowhere")


@pytest.mark.parametrize(
    ("kind", "of_module", "reason"),
    [(3, True, "dynamic"), (2, True, None), (2, False, "dynamic"), (3, False, "dynamic")],
)
def test_a_module_may_make_its_names_up(kind: int, of_module: bool, reason: str | None) -> None:
    """A function `__getattr__` of a module does; the method of all modules, which ty lists, does not."""
    items = [Member("x", 5), Member("__getattr__", kind), *[Member("__spec__", 5)] * of_module]
    assert legal_names(Members(tuple(items), complete=True), MemberAccess(0, "", may_define=False))[1] == reason


def test_a_module_of_the_files_own_name_is_unknown() -> None:
    """`import module` in module.py is of another module; analysers that do not find it list the file's own names."""
    own = listing("add", "remove")
    for text, reason in [
        ("import module\nmodule.", "unknown type"),
        ("module = 1\nmodule.", None),
        ("import os\nos.", None),
    ]:
        trigger = Dereference().trigger(snapshot(text))
        assert trigger is not None
        assert trigger.interpret(own).reason == reason


@pytest.mark.parametrize(
    ("text", "ambiguous"),
    [
        ("f<z.", True),
        ("g(f<a | z.", True),
        ("x: Map<string, z.", True),
        ("a < b.", False),
        ("f<T>(b.", False),
        ("b.", False),
    ],
)
def test_type_arguments_look_like_comparisons(text: str, ambiguous: bool) -> None:
    """After `f<` an analyser of TypeScript lists the members of values, though a type may be meant."""
    found = site(text, "typescript")
    assert found is not None
    assert found.is_ambiguous == ambiguous
    assert (legal_names(listing("parse"), found, "typescript")[1] == "incomplete") == ambiguous


@pytest.mark.parametrize(
    ("text", "truth", "is_allowed"),
    [
        ("other.", "fresh = 1", True),
        ("other.", "fresh: int = 1", True),
        ("other.", "fresh, x = 1, 2", True),
        ("other.", "fresh()", False),
        ("other.", "fresh[0] = 1", False),
        ("other.", "fresh.more = 1", False),
        ("other.", "add()", True),
        ("other.", "class = 1", False),
        ("x, other.", "fresh = 1, 2", True),
        ("for other.", "fresh in x:", True),
        ("return other.", "fresh", False),
        ("f(other.", "fresh)", False),
        ("self.a = self.", "fresh = 1", True),
        ("self.a = self.", "fresh()", False),
        ("self.a = other.", "fresh = None", True),
        ("a = other.", "fresh", False),
    ],
)
def test_a_new_member_is_legal_only_where_one_can_be_set(text: str, truth: str, is_allowed: bool) -> None:
    """On another object, and where a chain of targets may go on: as on one's own, but what exists is preferred."""
    members = Members((Member("add"), Member("remove")), complete=True, types=(TypePlace(Path("/x/a.py"), 1, "A"),))
    trigger = Dereference().trigger(snapshot(text))
    assert trigger is not None
    restriction = trigger.interpret(members)
    assert restriction.reason is None
    assert restriction.allows(truth) is is_allowed
    may_be_new = restriction.allows("fresh = 1")
    masks = cast("Masks", SimpleNamespace(names=lambda names, *_, **__: names, names_or_new=lambda *_, **__: "any"))
    assert restriction.legal is not None
    assert (restriction.legal(masks) == "any") is may_be_new
    assert restriction.preferred is not None
    shown = cast("frozenset[str]", restriction.preferred(masks))
    assert {"add", "remove"} <= shown
    assert "fresh" not in shown


def test_a_built_in_object_takes_no_new_members() -> None:
    """A list's statement calls what lists have."""
    members = Members((Member("append"),), complete=True, types=(TypePlace(Path("/x/builtins.pyi"), 1, "list"),))
    trigger = Dereference().trigger(snapshot("items."))
    assert trigger is not None
    assert not trigger.interpret(members).allows("fresh = 1")


@pytest.mark.parametrize(
    ("mark", "kind", "reason"),
    [("::", 3, "incomplete"), ("::", 7, "incomplete"), ("::", 20, None), (".", 2, None), ("->", 5, None)],
)
def test_scopes_of_cpp_are_open(mark: str, kind: int, reason: str | None) -> None:
    """Any header may add to a namespace, and a class defines after `::` what is private; enumerations are closed."""
    found = Members((Member("first", kind), Member("second", kind)), complete=True)
    assert legal_names(found, MemberAccess(0, "", may_define=False, operator=mark), "cpp")[1] == reason


@pytest.mark.parametrize(("language", "kind"), [("go", 9), ("c", 3), ("c", 6), ("cpp", 3)])
def test_what_is_in_scope_is_no_list_of_members(language: str, kind: int) -> None:
    """Where gopls lists packages, and clangd functions, they could not read what stands before the dot."""
    found = Members((Member("left", 5), Member("other", kind)), complete=True)
    assert legal_names(found, MemberAccess(0, "", may_define=False), language)[1] == "unknown type"


def test_javascripts_types_are_guesses() -> None:
    """In JavaScript, where objects take members anywhere, a list is never taken for all there is."""
    assert (
        legal_names(Members((Member("a", 5),), complete=True), MemberAccess(0, "", False), "javascript")[1]
        == "inferred type"
    )


def test_a_long_file_closes_what_its_beginning_opened() -> None:
    """However far after the cursor a block is closed, no bracket is put in for it."""
    front, rest = "class A {\n  void f() {\n    g(a.", "\n" + "    h();\n" * 5000 + "  }\n}\n"
    trigger = Dereference().trigger(snapshot(front, rest, "java"))
    assert trigger is not None
    assert trigger.question.text == front + ")" + rest


@pytest.mark.parametrize(("text", "may"), [("make.", True), ("return make.", False), ("this.", False), ("a?.", False)])
def test_what_typescript_may_define(text: str, may: bool) -> None:
    """A function takes properties by assignment; nothing else does."""
    found = site(text, "typescript")
    assert found is not None
    assert found.may_define == may


@pytest.mark.parametrize(("shown", "reason"), [("type[M]", "dynamic"), ("type[type[A]]", "dynamic"), ("type[A]", None)])
def test_a_metaclass_that_answers_any_name_does_so_for_classes(tmp_path: Path, shown: str, reason: str | None) -> None:
    """A class object is told by its metaclass; an object of the class has nothing of it."""
    text = "class M(type):\n    def __getattr__(cls, name): return name\nclass A(metaclass=M): ...\nx = A."
    place = TypePlace(tmp_path / "module.py", 2, "A")
    members = Members((Member("size", 5), Member("__class__", 5, shown)), complete=True, types=(place,))
    trigger = Dereference().trigger(snapshot(text, root=tmp_path))
    assert trigger is not None
    assert trigger.interpret(members).reason == reason
