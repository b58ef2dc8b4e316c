"""What follows through a class hierarchy, and which errors are not those of an edit; found by a real analyser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guiderail.monitors.analysis import answers
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.next_edit.proposal import applied
from guiderail.next_edit.summary import consequences
from guiderail.text.document import Document

pytestmark = pytest.mark.e2e

BASE = (
    "class Base:\n    def run(self, job, queue):\n        return job\n\n"
    "    def go(self):\n        return self.run(1, 2)\n"
)
SUB = (
    "from base import Base\n\n\nclass Sub(Base):\n    def run(self, job: int, queue):\n"
    "        return super().run(job, queue)\n\n\nclass Other:\n    def run(self, job, queue):\n        return job\n\n\n"
    "Sub().run(1, 2)\nSub().run(job=1, queue=2)\nOther().run(1, 2)\n"
)
CART = "class Cart:\n    def __init__(self, net, tax):\n        self.net = net\n"
BIG = (
    "from base import Cart\n\n\nclass Big(Cart):\n    pass\n\n\nclass Huge(Cart):\n    def __init__(self, net, tax):\n"
    "        super().__init__(net, tax)\n\n\nBig(1, 2)\nHuge(1, 2)\n"
)


def followed(
    pool: ServerPool, root: Path, texts: tuple[str, str], *pairs: tuple[str, str]
) -> tuple[str, str, list[str]]:
    """Both files after all edits that follow from a change of the first one, and what is left."""
    before = after = texts[0]
    for old, new in pairs:
        assert old in after
        after = after.replace(old, new, 1)
    base, sub = root / "base.py", root / "sub.py"
    base.write_text(after)
    sub.write_text(texts[1])
    found = consequences(pool, root, [(Document(before, base, "python"), Document(after, base, "python"))])
    ends = [
        applied(Document(text), [one.edit for one in found.edits if one.path.name == path.name]).text
        for path, text in ((base, after), (sub, texts[1]))
    ]
    return ends[0], ends[1], [one.why for one in found.left]


@pytest.mark.parametrize(
    ("change", "base", "sub"),
    [
        (("job, queue", "job"), [("self.run(1, 2)", "self.run(1)")],
         [("job: int, queue", "job: int"), ("super().run(job, queue)", "super().run(job)"),
          ("Sub().run(1, 2)", "Sub().run(1)"), ("job=1, queue=2", "job=1")]),
        (("job, queue", "queue, job"), [("self.run(1, 2)", "self.run(2, 1)")],
         [("job: int, queue", "queue, job: int"), ("super().run(job, queue)", "super().run(queue, job)"),
          ("Sub().run(1, 2)", "Sub().run(2, 1)")]),
        (("def run", "def start"), [("self.run", "self.start")],
         [("    def run(self, job: int", "    def start(self, job: int"), ("super().run", "super().start"),
          ("Sub().run(1", "Sub().start(1"), ("Sub().run(j", "Sub().start(j")]),
    ],
    ids=["removed", "moved", "renamed"],
)  # fmt: skip
def test_an_override_follows_with_its_calls(
    pool: ServerPool, tmp_path: Path, change: tuple[str, str], base: list[tuple[str, str]], sub: list[tuple[str, str]]
) -> None:
    """It keeps its own annotations; a method of the same name in another class stays as it is."""
    wanted = [BASE.replace(*change, 1), SUB]
    for number, pairs in enumerate((base, sub)):
        for old, new in pairs:
            assert old in wanted[number]
            wanted[number] = wanted[number].replace(old, new, 1)
    assert followed(pool, tmp_path, (BASE, SUB), change) == (*wanted, [])


def test_a_renamed_parameter_is_renamed_in_overrides(pool: ServerPool, tmp_path: Path) -> None:
    """In their bodies too, and where they are called by keyword."""
    _, sub, left = followed(pool, tmp_path, (BASE, SUB), ("job, queue", "job, line"))
    wanted = SUB.replace("job: int, queue", "job: int, line").replace(
        "super().run(job, queue)", "super().run(job, line)"
    )
    assert (sub, left) == (wanted.replace("job=1, queue=2", "job=1, line=2"), [])


def test_an_override_that_takes_something_else_is_left(pool: ServerPool, tmp_path: Path) -> None:
    other = SUB.replace("job: int, queue)", "job: int, queue, now=False)")
    _, sub, left = followed(pool, tmp_path, (BASE, other), ("job, queue", "job"))
    assert "job: int, queue, now=False)" in sub
    assert any("the override takes other parameters" in why for why in left)


def test_subclasses_take_the_constructor(pool: ServerPool, tmp_path: Path) -> None:
    """Where they have none of their own; one that has calls it."""
    _, big, left = followed(pool, tmp_path, (CART, BIG), ("net, tax", "tax, net"))
    wanted = BIG.replace("super().__init__(net, tax)", "super().__init__(tax, net)").replace("Big(1, 2)", "Big(2, 1)")
    assert (big, left) == (wanted, [])


def test_an_error_of_before_is_nobody_s(pool: ServerPool, tmp_path: Path) -> None:
    """While a name is unknown, nothing is said of what is done with it; that it was wrong before is no reason."""
    base = "class Cart:\n    def total(self) -> int:\n        return 1\n"
    sub = "from base import Cart\n\nsum = Cart().total()\nsum.nothing()\n"
    _, found, left = followed(pool, tmp_path, (base, sub), ("total", "amount"))
    assert (found, left) == (sub.replace("total", "amount"), [])


def test_a_member_may_get_the_name_of_another_class_s(pool: ServerPool, tmp_path: Path) -> None:
    """But not that of one that its own class has."""
    base = "class A:\n    def f(self): ...\n\n\nclass B:\n    def g(self): ...\n\n\nA().f()\nB().g()\n"
    found, _, _ = followed(pool, tmp_path, (base, ""), ("def f", "def g"))
    assert found == base.replace("def f", "def g").replace("A().f()", "A().g()")
    base = "class A:\n    def f(self): ...\n\n    def g(self): ...\n\n\nA().f()\n"
    found, _, _ = followed(
        pool, tmp_path, (base, ""), ("    def f(self): ...\n\n    def g", "    def g(self): ...\n\n    def f")
    )
    assert "A().f()" in found


def test_an_attribute_that_subclasses_set(pool: ServerPool, tmp_path: Path) -> None:
    """It is the same attribute; a variable of that name is not."""
    base = "class Field:\n    template = 'a'\n\n    def show(self):\n        return self.template\n"
    sub = (
        "from base import Field\n\ntemplate = 1\n\n\nclass Text(Field):\n    template = 'b'\n\n\n"
        "print(Text.template, template)\n"
    )
    found, other, left = followed(pool, tmp_path, (base, sub), ("template =", "view ="))
    assert found == base.replace("template", "view")
    assert (other, left) == (sub.replace("    template =", "    view =").replace("Text.template", "Text.view"), [])


def test_an_edit_that_brings_an_error_takes_no_others_with_it(pool: ServerPool, tmp_path: Path) -> None:
    """One override uses the parameter that is gone, so it is left; the other follows."""
    sub = (
        "from base import Base\n\n\nclass One(Base):\n    def run(self, job, queue):\n"
        "        x = 1\n        return queue\n\n\n"
        "class Two(Base):\n    def run(self, job, queue):\n        return job\n"
    )
    _, found, left = followed(pool, tmp_path, (BASE, sub), ("job, queue", "job"))
    assert found == "job".join(sub.rsplit("job, queue", 1))
    assert len(left) == 1


def test_a_new_parameter_comes_without_an_annotation_that_the_override_s_file_does_not_know(
    pool: ServerPool, tmp_path: Path
) -> None:
    base = "from decimal import Decimal\n\n\n" + BASE
    found = followed(pool, tmp_path, (base, SUB), ("job, queue", "job, queue, rate: Decimal | None = None, n: int = 0"))
    assert "def run(self, job: int, queue, rate=None, n: int = 0):" in found[1]


def test_an_override_may_do_without_what_takes_any_number(pool: ServerPool, tmp_path: Path) -> None:
    """What the analyser has against it is named."""
    _, sub, left = followed(pool, tmp_path, (BASE, SUB), ("job, queue", "job, queue, **options"))
    assert sub == SUB
    assert [one.partition(":")[0] for one in left] == ["Invalid override of method `run`"]


@pytest.mark.parametrize(
    ("parameters", "body"),
    [("job, queue=''", "return queue"), ("job, queue", "return queue"), ("job, queue='', *more", "return job")],
    ids=["uses it", "needs it", "takes more"],
)
def test_calls_of_an_override_that_keeps_the_parameter_keep_their_arguments(
    pool: ServerPool, tmp_path: Path, parameters: str, body: str
) -> None:
    """It would get fewer than its author meant; those of the method itself follow."""
    base = BASE.replace("job, queue", "job, queue=''", 1)
    sub = (
        "from base import Base\n\n\nclass Sub(Base):\n"
        f"    def run(self, {parameters}):\n        x = 1\n        {body}\n"
        "\n\nSub().run(1, 'a')\nBase().run(1, 'a')\n"
    )
    _, found, left = followed(pool, tmp_path, (base, sub), ("job, queue=''", "job"))
    assert found == sub.replace("Base().run(1, 'a')", "Base().run(1)")
    assert left


def test_a_call_gets_the_new_names_with_the_new_arguments(pool: ServerPool, tmp_path: Path) -> None:
    """Of a change that renames one parameter and removes or moves another, no half is made."""
    base = "def f(first, second, third=0):\n    return first, third\n\n\nf(first=1, second=2, third=3)\n"
    sub = "from base import f\n\nx = 1\nf(first=x, second=2, third=3)\nf(second=2, first=(y := 1))\nf(1, 2, third=3)\n"
    change = [("f(first, second, third=0)", "f(begin, third=0)"), ("return first", "return begin")]
    ends = followed(pool, tmp_path, (base, sub), *change)
    wanted = sub.replace("first=x, second=2", "begin=x").replace("second=2, first=(", "begin=(").replace("1, 2", "1")
    assert ends == (
        "def f(begin, third=0):\n    return begin, third\n\n\nf(begin=1, third=3)\n", wanted, []
    )  # fmt: skip


@pytest.mark.parametrize("is_one_file", [True, False])
def test_an_override_gets_the_new_names_with_the_new_parameters(
    pool: ServerPool, tmp_path: Path, is_one_file: bool
) -> None:
    change = [("job, queue", "task"), ("return job", "return task")]
    sub = SUB.replace("super().run(job, queue)", "job")
    wanted = sub.replace("job: int, queue", "task: int", 1).replace("return job", "return task", 1)
    wanted = wanted.replace("Sub().run(1, 2)", "Sub().run(1)").replace("job=1, queue=2", "task=1")
    if is_one_file:
        sub, wanted = (one.replace("from base import Base", "") for one in (sub, wanted))
        base, _, left = followed(pool, tmp_path, (BASE + sub, ""), *change)
        found = base[base.index("class Sub") :]
        wanted = wanted[wanted.index("class Sub") :]
    else:
        _, found, left = followed(pool, tmp_path, (BASE, sub), *change)
    assert (found, left) == (wanted, [])


@pytest.mark.parametrize(
    ("argument", "is_dropped"),
    [("items.pop()", False), ("(y := 1)", False), ("f'{items.pop()}'", False), ("lambda: items.pop()", True),
     ("items[0]", True)],
)  # fmt: skip
def test_an_argument_that_does_something_is_not_dropped(
    pool: ServerPool, tmp_path: Path, argument: str, is_dropped: bool
) -> None:
    """Not without the person; one that only reads goes."""
    base = "def log(text, extra=None): ...\n"
    sub = f"from base import log\n\nitems = [1]\nlog('a', {argument})\nlog(items.pop(), 1)\n"
    _, found, left = followed(pool, tmp_path, (base, sub), (", extra=None", ""))
    wanted = sub.replace(", 1)", ")")
    assert found == (wanted.replace(f", {argument})", ")") if is_dropped else wanted)
    assert left == ([] if is_dropped else ["log(text): an argument that would be gone may do something"])


def test_too_many_uses_of_one_name_leave_the_others(
    pool: ServerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That name alone is left alone, at its declaration; its calls by another signature too."""
    monkeypatch.setattr(answers, "MOST_REFERENCES", 6)
    base = "def f(a, b): ...\n\n\ndef g(a): ...\n\n\ndef h(c, d): ...\n"
    sub = "from base import f, g, h\n\n" + "f(1, 2)\n" * 6 + "g(a=1)\nh(1, 2)\n"
    change = [("def f(a, b)", "def k(b, a)"), ("g(a)", "g(z)"), ("c, d", "d, c")]
    _, found, left = followed(pool, tmp_path, (base, sub), *change)
    assert found == sub.replace("g(a=1)", "g(z=1)").replace("h(1, 2)", "h(2, 1)")
    assert [one.partition(": it has more than")[0] for one in left] == [
        "k(b, a)", "f → k", "Module `base` has no member `f`"
    ]  # fmt: skip


def test_a_use_of_what_has_too_many_is_no_declaration(
    pool: ServerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_REFERENCES", 6)
    base = "def f(a): ...\n\n\ndef g(a): ...\n\n\n" + "f(1)\n" * 7
    assert followed(pool, tmp_path, (base, ""), ("f(1)", "g(1)"))[1:] == ("", [])


@pytest.mark.parametrize("earlier", [None, "def broken(:\n"])
def test_an_override_without_an_earlier_text_keeps_its_parameters(
    pool: ServerPool, tmp_path: Path, earlier: str | None
) -> None:
    """Its file is new, or had errors of syntax: nothing tells whether it is right already."""
    after, base, sub = BASE.replace("job, queue", "job", 1), tmp_path / "base.py", tmp_path / "sub.py"
    base.write_text(after)
    sub.write_text(SUB)
    changes = [(Document(BASE, base, "python"), Document(after, base, "python"))]
    found = consequences(pool, tmp_path, changes, lambda path: Document(earlier, path, "python") if earlier else None)
    assert {one.path for one in found.edits} == {base}
    assert (sub, 4, "Base.run(job): the file is new since then, or cannot be compared") in {
        (one.path, one.line, one.why) for one in found.left
    }


@pytest.mark.parametrize("problem", ["read-only", "broken"])
def test_a_use_in_a_file_that_cannot_be_changed_is_named(pool: ServerPool, tmp_path: Path, problem: str) -> None:
    """With its place; one in another folder is nobody's business."""
    use = "from base import price\n\nprice(1)\n" + ("def broken(:\n" if problem == "broken" else "")
    base = "def price(net): ...\n"
    other = tmp_path / "use.py"
    other.write_text(use)
    if problem == "read-only":
        other.chmod(0o444)
        if os.access(other, os.W_OK):
            pytest.skip("this user may write any file")
    _, _, left = followed(pool, tmp_path, (base, ""), ("price", "cost"))
    named = [one for one in left if one.startswith("price → cost: the file")]
    assert len(named) == 2
    assert all(("read-only" if problem == "read-only" else "errors of syntax") in one for one in named)
