"""What may stand after `new`."""

import pytest

from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.instantiation import CLASS, INTERFACE, VARIABLE, Instantiation
from tests.monitors.scenes import view

OFFERED = Members((Member("Box<T>()", CLASS), Member("Shape", INTERFACE), Member("box", VARIABLE)), complete=True)


@pytest.mark.parametrize(
    ("language", "legal"),
    [
        ("java", {"Box(1)", "Shape(", "int["}),
        ("csharp", {"Box(1)", "int["}),
        ("typescript", {"Box(1)", "box()", "class {"}),
    ],
)
def test_only_what_can_be_instantiated(language: str, legal: set[str]) -> None:
    """Classes can; interfaces only where an anonymous class may follow, values only where they may be constructors."""
    trigger = Instantiation().trigger(view("x = new ", ";\n", language))
    assert trigger is not None
    ruling = trigger.judge(OFFERED)
    truths = {"Box(1)", "Shape(", "box()", "int[", "class {", "nowhere("}
    assert ruling.reason is None
    assert {truth for truth in truths if ruling.allows(truth)} == legal


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Members((), complete=True), "no types"),
        (Members(OFFERED.items, complete=False), "incomplete"),
        (Members((Member("Other", CLASS),), complete=True), "no such name"),
    ],
)
def test_reasons_to_abstain(answer: Members, reason: str) -> None:
    """An answer without types, one that is cut, or one in which nothing fits is not relied on."""
    trigger = Instantiation().trigger(view("x = new B", ";\n", "java"))
    assert trigger is not None
    assert trigger.judge(answer).reason == reason


@pytest.mark.parametrize("text", ["renew ", "x.new ", "new", "// new ", '"new '])
def test_other_words(text: str) -> None:
    """Other words, comments and strings trigger nothing."""
    assert Instantiation().trigger(view(text, language="java")) is None
