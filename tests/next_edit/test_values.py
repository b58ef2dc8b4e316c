"""A value that no syntax tells is written into its gap and nowhere else, and is checked like all edits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.monitors.analysis.pool import ServerPool
from guiderail.next_edit.proposal import Proposal, applied
from guiderail.next_edit.summary import consequences
from guiderail.next_edit.values import filled
from guiderail.text.document import Document
from guiderail.text.edit import Edit

Written = Callable[[Document, int], list[str]]


def result(call: str, *written: str) -> str | None:
    """A call with `@` for the gap, once a model wrote something there."""
    text, at = call.replace("@", ""), call.index("@")
    one = Proposal(Document(text, language="python"), Edit(at, at, "\0rate\0"), "arguments", "")
    found = filled(one, lambda *_: written)
    return found.edit.apply(text) if found else None


@pytest.mark.parametrize(
    ("call", "written", "value"),
    [
        ("f(1, @)\n", "2)", "2"),
        ("f(1, @)\n", "2, 3)\ng()", "2"),
        ("f(1, @)\n", "g(2, 3) + 1, 4)", "g(2, 3) + 1"),
        ("f(1, @)\n", "'a, b')", "'a, b'"),
        ("f(1, @)\n", "[x for x in y]", "[x for x in y]"),
        ("f(1, rate=@)\n", "self.rate)", "self.rate"),
        ("f(@, 1)\n", " {'a': 1}, 2", "{'a': 1}"),
        ("f(\n    1,\n    @,\n)\n", "rate,\n)", "rate"),
        ("f(g(@))\n", "2)) + 1", "2"),
    ],
)
def test_a_value_is_one_argument(call: str, written: str, value: str) -> None:
    assert result(call, written) == call.replace("@", value)


@pytest.mark.parametrize(
    "written",
    ["", ")", ", 2", "*rest)", "**rest)", "rate=2)", "x := 2)", "# 2", "2 + ", "(yield)[", "x for x in y)", "'a"],
)
def test_what_is_no_argument_is_not_taken(written: str) -> None:
    """Whatever stands there: the text is as if nothing had been written."""
    assert result("f(1, @)\n", written) is None
    assert result("f(1, @)\n", written, "5)") == "f(1, 5)\n"


def test_each_gap_has_its_own_value() -> None:
    """A later one is not written yet when the first is asked for."""
    text, seen = "f(1)\n", []

    def write(document: Document, hole: int) -> list[str]:
        seen.append(document.text[:hole] + "@" + document.text[hole:])
        return [str(len(seen))]

    one = Proposal(Document(text, language="python"), Edit(3, 3, ", \0a\0, b=\0b\0"), "arguments", "")
    found = filled(one, write)
    assert found is not None
    assert found.edit.apply(text) == "f(1, 1, b=2)\n"
    assert seen == ["f(1, @, b=b)\n", "f(1, 1, b=@)\n"]


BEFORE = "def price(net: int, tax: int) -> int:\n    return net * tax\n"
AFTER = BEFORE.replace("tax: int)", "tax: int, rate: int)")
USES = "from shop import price\n\nprice(1, 2)\nprice(net=3, tax=4)\nprice(*(1, 2))\n"


def adapted(pool: ServerPool, root: Path, write: Written | None, after: str = AFTER) -> tuple[str, list[str]]:
    """The uses after all edits, and what is left."""
    for name, text in (("shop.py", after), ("uses.py", USES)):
        (root / name).write_text(text)
    shop = root / "shop.py"
    pair = Document(BEFORE, shop, "python"), Document(after, shop, "python")
    found = consequences(pool, root, [pair], write=write)
    return applied(Document(USES), [one.edit for one in found.edits]).text, [one.why for one in found.left]


@pytest.mark.e2e
def test_each_call_gets_a_value(pool: ServerPool, tmp_path: Path) -> None:
    """By position or by keyword, as the call has it; one that passes on a number of arguments is named."""
    text, left = adapted(pool, tmp_path, lambda *_: ["5)"])
    assert text == USES.replace("price(1, 2)", "price(1, 2, 5)").replace("tax=4", "tax=4, rate=5")
    assert len(left) == 1
    assert "passes on" in left[0]


@pytest.mark.e2e
@pytest.mark.parametrize("written", ["'five')", "unknown)", "price)"])
def test_a_value_that_brings_an_error_is_not_shown(pool: ServerPool, tmp_path: Path, written: str) -> None:
    """Of another type, or a name that is not known there: the place is named as without a model."""
    text, left = adapted(pool, tmp_path, lambda *_: [written])
    assert text == USES
    assert (text, left) == adapted(pool, tmp_path, None)
    assert sum("needs a value for rate" in one for one in left) == 2


@pytest.mark.e2e
def test_a_renamed_keyword_goes_with_the_value(pool: ServerPool, tmp_path: Path) -> None:
    """Of the two changes of a call no half is made."""
    after = AFTER.replace("tax", "duty")
    text, _ = adapted(pool, tmp_path, lambda *_: ["5)"], after)
    assert "price(net=3, duty=4, rate=5)" in text
