"""What may follow a name and a blank."""

from __future__ import annotations

import random
import re
import sysconfig
from pathlib import Path

import pytest

from guiderail.monitors.operators import Operators
from guiderail.monitors.registry import chosen
from tests.monitors.snapshots import snapshot

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
FILES = ("argparse.py", "dataclasses.py", "ast.py", "typing.py", "asyncio/base_events.py", "enum.py", "statistics.py")
PLACES = 60  # of each file


def allowed(text: str, truth: str) -> bool | None:
    trigger = Operators().trigger(snapshot(text))
    return None if trigger is None else trigger.interpret(None).allows(truth)


@pytest.mark.parametrize(
    "text", ["x = size ", "self.size ", "return f(x) ", "a[0] ", "if größe ", "f(a, b ", "x = 3 ", "x = None ",
             "self.match ", "match.group(1) ", "if x:\n    y = size\t", "for x ", "f'{size "],
)  # fmt: skip
def test_an_expression_goes_on_with_an_operator_or_ends(text: str) -> None:
    """No further name; operators, keywords, brackets, strings and line ends are free."""
    for truth in ("and x", "or", "in y", "not in y", "is None", "if a else b", "for x in y", "== 1", "= 1", "\n", ")",
                  "", ": int", "# why", "(x)", "as y"):  # fmt: skip
        assert allowed(text, truth), truth
    for truth in ("other", "self.other", "__str__", "lambda: 1", "None"):
        assert not allowed(text, truth), truth


@pytest.mark.parametrize(
    "text", ["return ", "not ", "for x in ", "import ", "x = await ", "match ", "case ", "type ", "print ", "# size ",
             "'size ", "x = ", "f(", "class ", "async ", "%timeit ", "!pip install ", "size", "    ",
             "x\n", "lambda "],
)  # fmt: skip
def test_it_is_silent_elsewhere(text: str) -> None:
    """After keywords, in strings and comments, in the commands of notebooks."""
    assert allowed(text, "other") is None


@pytest.mark.parametrize(("text", "truth"), [("x = size i", "f y else z"), ("x = size o", "r y"), ("a no", "t in b")])
def test_a_keyword_that_is_begun(text: str, truth: str) -> None:
    """It may be ended; a name that begins like none is left alone."""
    assert allowed(text, truth)
    trigger = Operators().trigger(snapshot("x = size wor"))
    assert trigger is not None
    assert trigger.interpret(None).reason == "no such name"


@pytest.mark.parametrize("name", FILES)
def test_no_true_text_is_forbidden(name: str) -> None:
    """At blanks of the standard library."""
    text = (LIBRARY / name).read_text(encoding="utf-8")
    places = [found.end() for found in re.finditer(r"\w[ \t](?=\S)", text)]
    held = 0
    for at in random.Random(0).sample(places, PLACES):
        line_end = text.find("\n", at)
        trigger = Operators().trigger(snapshot(text[:at], text[line_end:]))
        held += trigger is not None
        assert trigger is None or trigger.interpret(None).allows(text[at:]), text[at - 40 : at + 20]
    assert held > 5


def test_it_is_registered() -> None:
    assert [one.name for one in chosen("operators")] == ["operators"]
