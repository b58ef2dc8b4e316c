"""Where a name behind a dot is being written, and when an analyser's list may be relied on."""

import pytest

from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.dereference import Dereference, Site, find_site, judge
from guiderail.monitors.lexing import place
from tests.monitors.scenes import view


def site(text: str) -> Site | None:
    return find_site(text, place(text, "python"), "python")


@pytest.mark.parametrize(
    ("text", "written"),
    [("x.", ""), ("f(a.b", "b"), ("f(1).", ""), ("a[0].n", "n"), ('"".jo', "jo"), ("(x\n  .y", "y"), ("größe.ä", "ä")],
)
def test_a_dot_behind_an_expression(text: str, written: str) -> None:
    """A dereference is found behind names, calls, indices and literals, with what is typed of its name."""
    found = site(text)
    assert found is not None
    assert found.written == written
    assert found.behind_dot == len(text) - len(written)


@pytest.mark.parametrize(
    "text",
    ["", "x", "x. ", "1.", "x = 1_0.", "x = .", "x[...", "# a.", "'a.", '"""a\nb.', "from .", "from a.", "import os.",
     "x = 3\n.", "x = 1.e", "f'{a."],
)  # fmt: skip
def test_other_dots(text: str) -> None:
    """Numbers, ellipses, imports, strings, comments and dots behind nothing are no dereferences."""
    assert site(text) is None


@pytest.mark.parametrize(
    "text",
    ["self.", "    self.", "cls.na", "a = 1; self.", "self.a, self.", "(self.a, self.", "for self.", "x.__class__.",
     "with f() as self.", "self.a[0], self.", "*self."],
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
    ("text", "rest", "shown"),
    [
        ("f(x.ap", "\n", "f(x.)\n"),
        ("f(x.", ")\n", "f(x.)\n"),
        ("f(g[x.", ")", "f(g[x.])"),
        ("x.ap", "pend(1)\n", "x.(1)\n"),
        ("f(')', x.", "", "f(')', x.)"),
    ],
)
def test_the_analyser_sees_closed_brackets(text: str, rest: str, shown: str) -> None:
    """The shadow ends at the dot, brackets that nothing closes are closed, and what stands behind is kept."""
    trigger = Dereference().trigger(view(text, rest))
    assert trigger is not None
    assert trigger.question.text == shown
    assert trigger.question.text[: trigger.question.offset].endswith("x.")


def members(*names: str, detail: str = "", complete: bool = True) -> Members:
    return Members(tuple(Member(name, 2, detail) for name in names), complete)


@pytest.mark.parametrize(
    ("answer", "where", "reason"),
    [
        (members("size"), Site(0, "", False), None),
        (members("size"), Site(0, "si", False), None),
        (members(), Site(0, "", False), "unknown type"),
        (members("__doc__", "__eq__"), Site(0, "", False), "unknown type"),
        (members("size", detail="int | Unknown"), Site(0, "", False), "unknown type"),
        (members("size", detail="list[Unknown]"), Site(0, "", False), None),
        (members("size", "__getattr__"), Site(0, "", False), "dynamic"),
        (members("size", "__getattr__", "__spec__"), Site(0, "", False), None),
        (members("size", complete=False), Site(0, "", False), "incomplete"),
        (members("size"), Site(0, "x", True), None),
        (members("size"), Site(0, "x", False), "no such name"),
    ],
)
def test_reasons_to_abstain(answer: Members, where: Site, reason: str | None) -> None:
    """A list is relied on only if the type is known, its members are fixed and all listed, and one of them fits."""
    assert judge(answer, where)[1] == reason
