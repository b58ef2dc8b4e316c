"""Bare names that are read, asked of a real analyser."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.scope import Scope
from guiderail.text.document import Document
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot

SOURCE = "import os\n\nLIMIT = 3\n\n\ndef size(path, depth=0):\n    total = 1\n"


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on an empty project."""
    with project(tmp_path_factory.mktemp("scope"), {}, PYREFLY) as started:
        yield started


@pytest.mark.parametrize(
    "text", ["    return ", "    x = ", "    if ", "    x = 1 + ", "    x = total if ", "    while not "]
)
def test_names_in_scope_can_be_read(analyser, text: str) -> None:
    """Parameters, locals, globals, imports and builtins are legal where a name is read; others are not."""
    restriction = restriction_of(Scope(), analyser, SOURCE + text)
    assert restriction.reason is None
    truths = [
        "path",
        "depth)",
        "total",
        "LIMIT",
        "os.path",
        "len(x)",
        "None",
        "3",
        "'a'",
        "f'a'",
        "(x)",
        "[",
        "nowhere",
    ]
    assert [truth for truth in truths if not restriction.allows(truth)] == ["nowhere"]


def test_names_of_the_statement_count(analyser) -> None:
    """What the statement itself may define, such as by a walrus, is legal after it."""
    assert restriction_of(Scope(), analyser, SOURCE + "    x = y = ").allows("y")


@pytest.mark.parametrize(
    ("front", "written", "name"),
    [
        ("", "x = 1\nimport os\ny = ", "x"),
        ("import sys\n", "rate = 3\nprice = ", "rate"),
        ("", "import os\n\ndef f(a):\n    return ", "os"),
        (SOURCE, "    if path:\n        fresh = 1\n    return ", "fresh"),
    ],
)
def test_names_that_decoding_defined_count(analyser, front: str, written: str, name: str) -> None:
    """At the left margin too, though the analyser is asked about the text in which decoding began."""
    context = CursorContext(
        Document(front + "\n", language="python"), len(front), analyser.root / "module.py", root=analyser.root
    )
    trigger = Scope().trigger(context.snapshot(written))
    assert trigger is not None
    restriction = trigger.interpret(trigger.ask(analyser).result(60))
    assert restriction.reason is None
    assert [restriction.allows(truth) for truth in (name, "nowhere", "len")] == [True, False, True]


@pytest.mark.parametrize(
    "text",
    ["", "    ", "x", "import ", "from a import ", "def f(a, b = ", "for ", "f(", "f(a, ", "[x for x in ", "x = f(",
     "# return ", "'return ", "lambda: 1 + ", "class A(B, ", "with a as ", "global "],
)  # fmt: skip
def test_other_places(text: str) -> None:
    """Names that are defined, arguments, comprehensions, comments and strings are left free."""
    assert Scope().trigger(snapshot(text)) is None
