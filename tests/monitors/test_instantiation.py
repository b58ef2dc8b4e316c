"""What may stand after `new`."""

import pytest

from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.instantiation import Instantiation
from guiderail.text.languages.kinds import CLASS, INTERFACE, VARIABLE
from tests.monitors.snapshots import snapshot

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
    trigger = Instantiation().trigger(snapshot("x = new ", ";\n", language))
    assert trigger is not None
    restriction = trigger.interpret(OFFERED)
    truths = {"Box(1)", "Shape(", "box()", "int[", "class {", "nowhere("}
    assert restriction.reason is None
    assert {truth for truth in truths if restriction.allows(truth)} == legal


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
    trigger = Instantiation().trigger(snapshot("x = new B", ";\n", "java"))
    assert trigger is not None
    assert trigger.interpret(answer).reason == reason


@pytest.mark.parametrize("text", ["renew ", "x.new ", "new", "// new ", '"new '])
def test_other_words(text: str) -> None:
    """Other words, comments and strings trigger nothing."""
    assert Instantiation().trigger(snapshot(text, language="java")) is None
