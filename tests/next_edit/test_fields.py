"""The fields of a class are the parameters of its constructor: where they change, constructions follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.monitors.analysis.pool import ServerPool
from guiderail.next_edit.proposal import applied
from guiderail.next_edit.signatures import signatures
from guiderail.next_edit.source_tree import read
from guiderail.next_edit.summary import consequences
from guiderail.text.document import Document

DATACLASS = "@dataclass\nclass A:\n"


def shape(text: str) -> list[tuple[str, str, bool]] | None:
    """The parameters of a class's constructor, as far as they can be told."""
    tree = read(Document(text, language="python"))
    assert tree is not None
    found = [one for one in signatures(tree) if one.is_constructor]
    assert len(found) < 2
    return list(found[0].shape) if found else None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (DATACLASS + "    x: int\n    y: int = 0\n", "x! y"),
        (DATACLASS + "    x: int = field(default_factory=int)\n    y: int = field(repr=False)\n", "x y!"),
        (DATACLASS + "    x: ClassVar[int] = 1\n    y: InitVar[int]\n    z = 3\n", "y!"),
        (DATACLASS + "    x: int\n    _: KW_ONLY\n    y: int\n", "x! =y!"),
        (DATACLASS + "    x: int\n    k: 'ClassVar[int]' = 1\n    _: 'dataclasses.KW_ONLY'\n    y: int\n", "x! =y!"),
        (DATACLASS + "    x: int = field(kw_only=True, default=1)\n    y: int\n", "=x y!"),
        (DATACLASS + "    x: int\n    y: int = field(init=False)\n\n    def f(self): ...\n", "x!"),
        ("@dataclasses.dataclass(frozen=True, kw_only=True)\nclass A(Generic[T]):\n    x: int\n", "=x!"),
        ("@final\n@attrs.define\nclass A:\n    x: int\n    y: int = attrs.field(factory=list)\n", "x! y"),
        ("class A(NamedTuple):\n    x: int\n    y: int = 0\n", "x! y"),
        ("class A(typing.TypedDict):\n    x: int\n    y: NotRequired[int]\n", "=x! =y"),
        ("class A(TypedDict, total=False):\n    x: int\n", "=x"),
    ],
)  # fmt: skip
def test_fields_are_parameters(text: str, wanted: str) -> None:
    """`!` for those without a default, `=` before those by keyword alone."""
    marked = [f"{'=' * (kind == 'keyword')}{name}{'!' * (not optional)}" for name, kind, optional in shape(text) or ()]
    assert " ".join(marked) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    x: int\n",
        "class A(Base):\n    x: int\n",
        "@dataclass\nclass A(Base):\n    x: int\n",
        "@dataclass(init=False)\nclass A:\n    x: int\n",
        "@dataclass(**options)\nclass A:\n    x: int\n",
        "@dataclass(kw_only=LATE)\nclass A:\n    x: int\n",
        "@unknown\n@dataclass\nclass A:\n    x: int\n",
        "@attrs.define\nclass A:\n    _x: int\n",
        DATACLASS + "    x: int = 0\n    y: int = 1\n    x: int = 2\n",
        "@attrs.define\nclass A:\n    x: int = field(alias='y')\n",
        "@attr.define\nclass A:\n    x = attr.ib()\n",
    ],
)
def test_what_cannot_be_told_is_no_constructor(text: str) -> None:
    """Fields of bases, names that are others in the constructor, decorators that may do anything."""
    assert shape(text) is None


def test_an_own_constructor_is_that_of_the_class() -> None:
    assert shape(DATACLASS + "    x: int\n\n    def __init__(self, z): ...\n") == [("z", "either", False)]


BASE = (
    "from dataclasses import dataclass\n\n\n@dataclass\nclass Box:\n    width: int\n    height: int = 1\n"
    "    depth: int = 2\n\n    @classmethod\n    def flat(cls):\n        return cls(1, 2, 0)\n\n    def double(self):\n"
    "        return Box(self.width * 2, depth=self.depth)\n"
)
USES = (
    "from functools import partial\n\nfrom base import Box\n\n"
    "Box(1, 2, 3)\nBox(1, depth=3)\nBox(width=1, height=2, depth=3)\n"
)


def followed(pool: ServerPool, root: Path, uses: str, *changes: tuple[str, str]) -> tuple[str, str, list[str]]:
    """Both files after all edits, and what is left; a value that is needed is 7."""
    after = BASE
    for old, new in changes:
        assert old in after
        after = after.replace(old, new, 1)
    base, other = root / "base.py", root / "uses.py"
    base.write_text(after)
    other.write_text(uses)
    pair = Document(BASE, base, "python"), Document(after, base, "python")
    found = consequences(pool, root, [pair], write=lambda *_: ["7)"])
    ends = [
        applied(Document(text), [one.edit for one in found.edits if one.path.name == path.name]).text
        for path, text in ((base, after), (other, uses))
    ]
    return ends[0], ends[1], [one.why for one in found.left]


@pytest.mark.e2e
def test_a_removed_field_is_removed_from_constructions(pool: ServerPool, tmp_path: Path) -> None:
    """By position, by keyword and by `cls`."""
    base, uses, left = followed(pool, tmp_path, USES, ("    height: int = 1\n", ""))
    assert base == BASE.replace("    height: int = 1\n", "").replace("cls(1, 2, 0)", "cls(1, 0)")
    assert uses == USES.replace("1, 2, 3", "1, 3").replace("height=2, ", "")
    assert left == []


@pytest.mark.e2e
def test_an_added_field_gets_a_value(pool: ServerPool, tmp_path: Path) -> None:
    """Where it has no default, in all constructions; where it has one, only in those that it stands in the way of."""
    base, uses, _ = followed(pool, tmp_path, USES, ("    height", "    colour: int\n    height"))
    assert "cls(1, 7, 2, 0)" in base
    assert "Box(self.width * 2, 7, depth=self.depth)" in base
    assert uses == USES.replace("Box(1, 2, 3)", "Box(1, 7, 2, 3)").replace("Box(1, d", "Box(1, 7, d").replace(
        "depth=3)\n", "depth=3, colour=7)\n"
    ).replace("Box(1, 7, depth=3, colour=7)", "Box(1, 7, depth=3)")
    _, uses, left = followed(pool, tmp_path, USES, ("    height", "    colour: int = 0\n    height"))
    assert (uses, left) == (USES.replace("Box(1, 2, 3)", "Box(1, height=2, depth=3)"), [])


@pytest.mark.e2e
def test_a_renamed_field_is_renamed_in_constructions_and_reads(pool: ServerPool, tmp_path: Path) -> None:
    uses = USES + "print(Box(1).depth)\n"
    base, found, left = followed(pool, tmp_path, uses, ("depth: int", "length: int"))
    assert base == BASE.replace("depth", "length")
    assert (found, left) == (uses.replace("depth", "length"), [])


@pytest.mark.e2e
def test_of_a_call_that_is_left_alone_nothing_is_renamed(pool: ServerPool, tmp_path: Path) -> None:
    """Half of what follows would be made, and the other half never be proposed; `partial` is named too."""
    uses = USES + "Box(*(1, 2), depth=3)\npartial(Box, 1, depth=2)\n"
    _, found, left = followed(pool, tmp_path, uses, ("    height: int = 1\n", ""), ("depth: int", "length: int"))
    assert "Box(*(1, 2), depth=3)\n" in found
    assert [one.partition(": ")[2] for one in left if "partial" in one or "passes on" in one] == [
        "it passes on a number of arguments that cannot be told", "partial binds arguments to it"
    ]  # fmt: skip


@pytest.mark.e2e
def test_a_pattern_with_fields_is_named(pool: ServerPool, tmp_path: Path) -> None:
    uses = "from base import Box\n\nmatch Box(1):\n    case Box(1, 2, 3):\n        pass\n"
    _, found, left = followed(pool, tmp_path, uses, ("    height: int = 1\n", ""))
    assert found == uses
    assert any("a pattern may take its fields by position" in one for one in left)


@pytest.mark.e2e
def test_subclasses_take_the_constructor(pool: ServerPool, tmp_path: Path) -> None:
    """Not one that declares a field again: its constructor has it still."""
    uses = "from base import Box\n\n\nclass Sub(Box): ...\n\n\n@dataclass\nclass Own(Box):\n    height: int = 5\n\n\n"
    uses = f"from dataclasses import dataclass\n{uses}Sub(1, 2, 3)\nOwn(1, 2, 3)\n"
    _, found, _ = followed(pool, tmp_path, uses, ("    height: int = 1\n", ""))
    assert found == uses.replace("Sub(1, 2, 3)", "Sub(1, 3)")


ENUM = "from enum import Enum\n\n\nclass Colour(Enum):\n    RED = 1\n    BLUE = 2\n"


@pytest.mark.e2e
def test_members_of_an_enum(pool: ServerPool, tmp_path: Path) -> None:
    """Renamed, their uses follow, in patterns too; where one is gone, its uses are named."""
    uses = (
        "from colours import Colour\n\n\ndef f(c: Colour) -> int:\n    match c:\n        case Colour.RED:\n"
        "            return 1\n    return Colour.BLUE.value\n"
    )
    colours, other = tmp_path / "colours.py", tmp_path / "uses.py"
    other.write_text(uses)
    found = []
    for old, new in (("RED", "GREEN"), ("    RED = 1\n", "")):
        after = ENUM.replace(old, new)
        colours.write_text(after)
        pair = Document(ENUM, colours, "python"), Document(after, colours, "python")
        found.append(consequences(pool, tmp_path, [pair]))
    assert applied(Document(uses), [one.edit for one in found[0].edits]).text == uses.replace("RED", "GREEN")
    assert found[0].left == ()
    assert found[1].edits == ()
    assert [(one.path.name, one.line) for one in found[1].left] == [("uses.py", 5)]
