"""Questions that hold for a block, asked of a real analyser."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import COMPLETIONS, MEMBERS, Question
from guiderail.monitors.block_query import BlockQuery, block_query_of
from guiderail.monitors.cursor_context import CursorContext, Snapshot
from guiderail.monitors.dereference import Dereference
from guiderail.monitors.scope import Scope
from guiderail.text.document import Document
from tests.monitors.snapshots import PYREFLY, project

FRONT = """import os


class Base:
    def inherited(self): ...


class Shop(Base):
    limit = 3

    def __init__(self, path):
        self.path = path
        self.open = {}

    def size(self, depth, other: Base):
        total = 1
"""
BEHIND = """
        self.later = 2

    @classmethod
    def made(cls, text):
        return cls(text)


def below(): ...
"""


@pytest.fixture(scope="module")
def analyser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAnalyser]:
    """pyrefly on an empty project."""
    with project(tmp_path_factory.mktemp("anchor"), {}, PYREFLY) as started:
        yield started


def snapshot(analyser: ServerAnalyser, line: str, rest: str = "", written: str = "", front: str = FRONT) -> Snapshot:
    """The snapshot when `written` has been decoded after the line."""
    document = Document(front + line + rest + BEHIND, language="python")
    return CursorContext(document, len(front + line), analyser.root / "shop.py", root=analyser.root).snapshot(written)


def names(analyser: ServerAnalyser, question: Question, request=MEMBERS) -> set[str]:
    return {member.name for member in analyser.ask(request, question).result(60).items}


def anchored(snapshot: Snapshot, end: int | None = None) -> BlockQuery:
    found = block_query_of(snapshot, end)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("        ", ""),
        ("        return ", ""),
        ("        x = f(", ")"),
        ("        x = f(a, [", "\n        ])"),
        ("        if ", ":\n            pass"),
        ("        for x in ", ":\n            pass\n        else:\n            pass"),
        ("        while x < ", ": f(x)"),
        ("        x = [", "]  # a comment"),
    ],
)
def test_the_answers_are_those_of_the_place_itself(analyser: ServerAnalyser, line: str, rest: str) -> None:
    """Members of self, and the names in scope, also where the statement at the cursor is not complete without both."""
    here = snapshot(analyser, line, rest, "self.")
    found = anchored(here)
    plain = names(analyser, here.question(len(here.text)))
    assert {"path", "open", "later", "limit", "inherited", "size", "made"} <= plain
    assert names(analyser, found.members["self"]) == plain
    listed = names(analyser, found.scope, COMPLETIONS)
    assert {"self", "depth", "other", "total", "os", "Shop", "below", "len"} <= listed
    assert not {"path", "text"} & listed


def test_a_class_has_its_members_too(analyser: ServerAnalyser) -> None:
    """After cls in a class method."""
    front = FRONT + BEHIND.replace("return cls(text)\n\n\ndef below(): ...\n", "")
    here = snapshot(analyser, "x = ", written="cls.", front=front)
    found = anchored(here)
    assert names(analyser, found.members["cls"]) == names(analyser, here.question(len(here.text)))


def test_one_text_is_asked_about_all_that_is_written_on(analyser: ServerAnalyser) -> None:
    """From key to key of a line, from statement to statement of its block, by both monitors, and ahead of them."""
    start = snapshot(analyser, "        ")
    asked = {question.text for monitor in (Dereference(), Scope()) for _, question in monitor.prefetch(start)}
    later = [
        (Dereference(), snapshot(analyser, "        ", written="return self.")),
        (Dereference(), snapshot(analyser, "        ret", written="urn self.")),
        (Dereference(), snapshot(analyser, "        ", written="x = 1\n        if x:\n            y = self.")),
        (Scope(), snapshot(analyser, "        ", written="return ")),
        (Scope(), snapshot(analyser, "        y = self.path + ")),
    ]
    triggers = [monitor.trigger(one) for monitor, one in later]
    assert asked == {trigger.question.text for trigger in triggers if trigger}
    assert all(triggers)
    assert len(asked) == 1


def test_what_is_named_on_the_way_is_a_member(analyser: ServerAnalyser) -> None:
    """It may have been defined there; what is half-typed now is none yet."""
    trigger = Dereference().trigger(snapshot(analyser, "        ", written="self.fresh = 1\n        x = self.fre"))
    assert trigger is not None
    restriction = trigger.interpret(trigger.ask(analyser).result(60))
    assert restriction.reason is None
    assert [restriction.allows(name) for name in ("fresh", "path", "fre", "freshly")] == [True, True, False, False]


@pytest.mark.parametrize(
    "written",
    [
        "if isinstance(self, Base):\n            self.",  # is something else now
        "self = other\n        self.",
        "def inner(self):\n            self.",
        "f = lambda self: self.",
        "pass\n\n    def next(self):\n        self.",
        "other.",
        "self.path.",
        "other.self.",
    ],
)
def test_other_receivers_are_asked_about_where_they_stand(analyser: ServerAnalyser, written: str) -> None:
    """Where self may have become another object, and after everything else."""
    here = snapshot(analyser, "        ", written=written)
    trigger = Dereference().trigger(here)
    assert trigger is not None
    assert trigger.question == here.question(len(here.text))


@pytest.mark.parametrize(
    "line",
    [
        "        x = 1; y = ",
        "    def f(self, a=",
        "    @",
        "        else: ",
        '        """',
        "        # ",
        "        case ",
    ],
)
def test_no_statement_is_put_where_it_would_tear_others_apart(analyser: ServerAnalyser, line: str) -> None:
    """After a semicolon, before what hangs on what stands above, in strings and comments."""
    assert block_query_of(snapshot(analyser, line)) is None


def test_another_block_has_no_anchor(analyser: ServerAnalyser) -> None:
    """Where the text has left the block in which decoding began."""
    assert block_query_of(snapshot(analyser, "        ", written="pass\n    x = ")) is None
    assert block_query_of(snapshot(analyser, "        ", written="pass\n\n        x = ")) is not None
