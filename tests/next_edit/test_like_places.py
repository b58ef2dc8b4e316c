"""What was changed twice by hand in the same way is proposed at the other like places, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.next_edit.like_places import like_proposals
from guiderail.next_edit.proposal import applied
from guiderail.text.document import Document


def after_like(before: str, after: str, language: str = "python") -> str:
    """A text that was changed by hand, after what is proposed at like places."""
    old, new = Document(before, language=language), Document(after, language=language)
    return applied(new, [one.edit for one in like_proposals(old, new)]).text


LINES = [
    ("log.warn('{}')", "log.warning('{}')"),
    ("if {} == None: pass", "if {} is None: pass"),
    ("fetch({})", "fetch({}, timeout=5)"),
    ("os.path.join({}, 'x')", "Path({}) / 'x'"),
    ("{} = dict(a={})", "{} = {{'a': {}}}"),
    ("open({}).read()", "read_text({})"),
    ("check({}, True)", "check({}, strict=True)"),
    ("old({})", "new({})"),
    ("assert {}.ok", "assert {}.ok, 'not ok'"),
]


@pytest.mark.parametrize(("old", "new"), LINES)
def test_two_changes_make_a_third(old: str, new: str) -> None:
    """At each place with its own parts; what is in between stays."""
    filled = [[line.format(name, name) for name in ("a", "b", "c", "d")] for line in (old, new)]
    before = "def f(a, b, c, d):\n    " + "\n    x = 1\n    ".join(filled[0]) + "\n"
    by_hand = before.replace(filled[0][0], filled[1][0]).replace(filled[0][1], filled[1][1])
    wanted = by_hand.replace(filled[0][2], filled[1][2]).replace(filled[0][3], filled[1][3])
    assert after_like(before, by_hand) == wanted


@pytest.mark.parametrize(("old", "new"), LINES)
def test_one_change_makes_nothing(old: str, new: str) -> None:
    filled = [[line.format(name, name) for name in ("a", "b", "c")] for line in (old, new)]
    before = "def f(a, b, c):\n    " + "\n    ".join(filled[0]) + "\n"
    by_hand = before.replace(filled[0][0], filled[1][0])
    assert after_like(before, by_hand) == by_hand


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Other changes at the two places.
        ("f(1)\nf(2)\nf(3)\n", "f(1, a=1)\nf(2, b=2)\nf(3)\n"),
        # A name that stands for itself: the analyser knows what is meant by it.
        ("a = b\nc = b\nd = b\n", "a = e\nc = e\nd = b\n"),
        # One variable in place of another, in a call too.
        ("f(a)\nf(a, 1)\nf(a)\n", "f(e)\nf(e, 1)\nf(a)\n"),
        # Declarations are followed by what they mean.
        ("class A:\n    def f(self): ...\nclass B:\n    def f(self): ...\nclass C:\n    def f(self): ...\n",
         "class A:\n    def g(self): ...\nclass B:\n    def g(self): ...\nclass C:\n    def f(self): ...\n"),
        ("def a(x): ...\ndef b(x): ...\ndef c(x): ...\n", "def a(x, y): ...\ndef b(x, y): ...\ndef c(x): ...\n"),
        # What the change makes is like what it was made of.
        ("f(a)\nf(b)\nf(c)\n", "f(f(a))\nf(f(b))\nf(c)\n"),
        # No word is the same in both.
        ("a + b\nc + d\ne + f\n", "a - b\nc - d\ne + f\n"),
        # The later text has what the earlier has not: it cannot be known elsewhere.
        ("f(1)\nf(2)\nf(3)\n", "f(1, 'one')\nf(2, 'two')\nf(3)\n"),
        # Other kinds of arguments.
        ("f(1)\nf(2)\nf(x)\n", "f(1, a=1)\nf(2, a=1)\nf(x)\n"),
    ],
)  # fmt: skip
def test_what_is_not_the_same_change_makes_nothing(before: str, after: str) -> None:
    assert after_like(before, after) == after


def test_a_part_that_occurs_twice_is_the_same_everywhere() -> None:
    before = "if a is not None and a.ok: f()\nif b is not None and b.ok: f()\n"
    before += "if c is not None and c.ok: f()\nif c is not None and d.ok: f()\n"
    after = before.replace("a is not None and a.ok", "is_ok(a)").replace("b is not None and b.ok", "is_ok(b)")
    assert after_like(before, after) == after.replace("c is not None and c.ok", "is_ok(c)")


def test_typescript() -> None:
    before = "a.then(f);\nb.then(f);\nc.then(f);\n"
    after = before.replace("a.then(f)", "a.finally(f)").replace("b.then(f)", "b.finally(f)")
    assert after_like(before, after, "typescript") == before.replace("then", "finally")


def test_open_files_follow() -> None:
    """Those that are given, and no others."""
    other = Document("f(3)\n", Path("other.py"), "python")
    old, new = (Document(text, language="python") for text in ("f(1)\nf(2)\n", "f(1, a=1)\nf(2, a=1)\n"))
    assert like_proposals(old, new) == []
    (one,) = like_proposals(old, new, [other])
    assert one.edit.apply(other.text) == "f(3, a=1)\n"
