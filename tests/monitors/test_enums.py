"""Cases of enums, asked of a real analyser."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.enums import EnumCases
from guiderail.text.languages.kinds import ENUM_MEMBER
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot

SOURCE = """from enum import Enum

class Color(Enum):
    RED = 1
    BLUE = 2
    GREEN = 3

    def paint(self): ...

def name(color: Color):
    match color:
"""
JAVA = "class A { int f(Color color) { switch (color) { case RED: if (x) { y(); } break; case "


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on an empty project."""
    with project(tmp_path_factory.mktemp("enums"), {}, PYREFLY) as started:
        yield started


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("        case Color.", {"RED", "BLUE", "GREEN"}),
        ("        case Color.RED:\n            pass\n        case Color.", {"BLUE", "GREEN"}),
        ("        case Color.RED | Color.", {"RED", "BLUE", "GREEN"}),
        ("        case Color.RED | Color.BLUE:\n            pass\n        case Color.", {"GREEN"}),
        ("        case Color.RED if x:\n            pass\n        case Color.", {"RED", "BLUE", "GREEN"}),
    ],
)
def test_a_case_names_a_member_that_is_left(analyser, text: str, legal: set[str]) -> None:
    """Methods are no cases, nor are members that an unguarded case above names."""
    restriction = restriction_of(EnumCases(), analyser, SOURCE + text)
    assert restriction.reason is None
    assert {name for name in ("RED", "BLUE", "GREEN", "paint", "name") if restriction.allows(name + ":")} == legal


def test_what_is_no_enum_is_left_free(analyser) -> None:
    """A class without enum members has cases of its own kind."""
    assert restriction_of(EnumCases(), analyser, "import os\nmatch x:\n    case os.").reason == "no enum"


def test_java_names_members_alone() -> None:
    """After `case` in Java only members come, without those of earlier cases of this switch."""
    trigger = EnumCases().trigger(snapshot(JAVA, " } } }", "java"))
    assert trigger is not None
    restriction = trigger.interpret(Members(tuple(Member(n, ENUM_MEMBER) for n in ("RED", "BLUE")), complete=True))
    assert [name for name in ("RED", "BLUE", "GREEN") if restriction.allows(name)] == ["BLUE"]


@pytest.mark.parametrize("text", ["x = Color.", "# case Color.", "case.", "showcase Color.", "'case Color."])
def test_other_dots(text: str) -> None:
    """Dots outside of cases trigger nothing."""
    assert EnumCases().trigger(snapshot(text)) is None
