"""Changes between two releases are mined where they are certain, with the uses that changed with them."""

from __future__ import annotations

import pytest

from guiderail.evaluation.proposed_edits import FileEdit, score
from guiderail.evaluation.release import Release, texts_of
from guiderail.evaluation.release_changes import Miner, ReleaseChange
from guiderail.text.edit import Edit

SHOP = (
    "def price(net, tax):\n    return net * tax\n\n\n"
    "class Cart:\n    def add(self, item, count=1):\n        return item\n"
)
APP = "from shop import Cart, price\n\ncart = Cart()\ncart.add('a', count=2)\nprint(price(1, 2))\n"


def miner(shop: tuple[str, str], app: tuple[str, str], ending: str = "py") -> Miner:
    names = f"shop.{ending}", f"app.{ending}"
    return Miner(*(Release(dict(zip(names, texts, strict=True))) for texts in zip(shop, app, strict=True)))


def changed(text: str, *pairs: tuple[str, str]) -> tuple[str, str]:
    """A text before and after."""
    new = text
    for old, now in pairs:
        assert old in new
        new = new.replace(old, now)
    return text, new


def found(mined: Miner) -> list[tuple[str, str, list[tuple[str, str]], int]]:
    """Kind, name, the sites with their later texts, and how many uses are excluded."""
    return [(one.kind, one.name, [(s.path, s.text) for s in one.sites], one.excluded) for one in mined.changes()]


@pytest.mark.parametrize(
    ("shop", "app", "wanted"),
    [
        ([("def price", "def cost")], [("price", "cost")],
         ("function renamed", "price", [("app.py", "cost"), ("app.py", "cost")], 0)),
        ([("Cart", "Basket")], [("Cart", "Basket")],
         ("class renamed", "Cart", [("app.py", "Basket"), ("app.py", "Basket")], 0)),
        ([("def add", "def put")], [(".add", ".put")], ("method renamed", "add", [("app.py", "put")], 0)),
        ([("count=1", "number=1")], [("count=2", "number=2")],
         ("parameter renamed", "add", [("app.py", "('a', number=2)")], 0)),
        ([("net, tax", "tax, net")], [("1, 2", "2, 1")],
         ("parameters moved", "price", [("app.py", "(2, 1)")], 0)),
        ([("net, tax):", "net):"), (" * tax", "")], [("1, 2", "1")],
         ("parameter removed", "price", [("app.py", "(1)")], 0)),
        ([("net, tax", "net, *, tax")], [("1, 2", "1, tax=2")],
         ("made keyword-only", "price", [("app.py", "(1, tax=2)")], 0)),
        ([("net, tax", "net, tax, country")], [("1, 2", "1, 2, 'de'")],
         ("parameter without a default added", "price", [("app.py", "(1, 2, 'de')")], 0)),
        ([("net, tax", "country='de', net=0, tax=0")], [("1, 2", "net=1, tax=2")],
         ("parameter with a default added", "price", [("app.py", "(net=1, tax=2)")], 0)),
    ],
)  # fmt: skip
def test_a_change_with_its_uses(
    shop: list[tuple[str, str]], app: list[tuple[str, str]], wanted: tuple[str, str, list[tuple[str, str]], int]
) -> None:
    assert found(miner(changed(SHOP, *shop), changed(APP, *app))) == [wanted]


@pytest.mark.parametrize(
    ("shop", "app"),
    [
        ([("def price", "def cost")], []),
        ([("net, tax", "net, tax, country='de'")], [("1, 2", "1, 2, 'fr'")]),
        ([("net, tax", "tax, net")], [("1, 2", "7, 8")]),
        ([("def price", "def price(a): ...\n\n\ndef cost")], [("price", "cost")]),
        ([("class Cart", "class Shelf:\n    ...\n\n\nclass Till")], [("Cart", "Till")]),
    ],
    ids=["no use changed", "nothing was demanded", "other values", "the old one is still there", "not where it was"],
)
def test_what_is_not_certain_is_no_change(shop: list[tuple[str, str]], app: list[tuple[str, str]]) -> None:
    kinds = [one[0] for one in found(miner(changed(SHOP, *shop), changed(APP, *app))) if one[1] in {"price", "Cart"}]
    assert kinds in ([], ["class renamed"]) if "Till" in str(app) else kinds == []


def test_a_rewritten_use_is_excluded() -> None:
    """What stands in its place says nothing."""
    app = changed(
        APP, ("import Cart, price", "import Cart, cost"), ("print(price(1, 2))", "for x in range(3):\n    ...")
    )
    assert found(miner(changed(SHOP, ("def price", "def cost")), app)) == [
        ("function renamed", "price", [("app.py", "cost")], 1)
    ]


def test_an_override_follows_the_topmost_class() -> None:
    """The change is that of the class at the top; the methods of subclasses are its uses."""
    text = "class A:\n    def f(self, a, b): ...\n\n\nclass B(A):\n    def f(self, a, b): ...\n\n\nB().f(1, 2)\n"
    (change,) = miner(changed(text, ("self, a, b", "self, b"), ("1, 2", "2")), ("", "")).changes()
    assert [edit.text for _, edit in change.declared] == ["(self, b)"]
    assert [site.text for site in change.sites] == ["(self, b)", "(2)"]


def test_typescript() -> None:
    shop = "export class Cart { add(item: string, n: number) { return item; } }\nexport function price(a: number) {}\n"
    app = "import { Cart, price } from './shop';\nnew Cart().add('a', 1);\nprice(1);\n"
    pairs = changed(shop, ("add", "put"), ("price", "cost")), changed(app, (".add", ".put"), ("price", "cost"))
    assert [(one[0], one[1], len(one[2])) for one in found(miner(*pairs, "ts"))] == [
        ("method renamed", "add", 1), ("function renamed", "price", 2)
    ]  # fmt: skip


def scored(*texts: tuple[str, int, str]) -> tuple[int, int, int, int]:
    """Found, exact, wrong and unknown of edits (word, which of its places in the file, new text) of the app."""
    app = changed(
        APP + "price = 3\nprint(price)\n",
        ("import Cart, price", "import Cart, cost"),
        ("print(price(1", "print(cost(1"),
    )
    mined = miner(changed(SHOP, ("def price", "def cost")), app)
    (change,) = mined.changes()
    assert isinstance(change, ReleaseChange)
    edits = []
    for word, number, text in texts:
        start = -1
        for _ in range(number):
            start = app[0].index(word, start + 1)
        edits.append(FileEdit("app.py", Edit(start, start + len(word), text)))
    result = score(mined, change, edits)
    assert len(result.missed) == len(change.sites) - result.found
    return result.found, result.exact, len(result.wrong), result.unknown


def test_edits_are_compared_with_the_later_release() -> None:
    """At a site they are found, with its text they are exact; where the name stayed they are wrong."""
    assert scored() == (0, 0, 0, 0)
    assert scored(("price", 1, "cost"), ("price", 2, "cost")) == (2, 2, 0, 0)
    assert scored(("price", 1, "costs")) == (1, 0, 0, 0)
    assert scored(("price", 3, "cost")) == (0, 0, 1, 0)


def test_an_edit_of_a_file_that_is_gone_is_neither_right_nor_wrong() -> None:
    old, new = (
        Release({"shop.py": SHOP, "app.py": APP, "old.py": APP}),
        {"shop.py": SHOP.replace("def price", "def cost")},
    )
    mined = Miner(old, Release(new | {"app.py": APP.replace("price", "cost")}))
    (change,) = mined.changes()
    result = score(mined, change, [FileEdit("old.py", Edit(0, 4, "x"))])
    assert (result.found, result.wrong, result.unknown) == (0, (), 1)


def test_the_texts_of_an_archive() -> None:
    """Of the language, in UTF-8, with plain line ends; nothing vendored, and nothing outside."""
    files = [
        ("a/b.py", b"\xef\xbb\xbfx = 1\r\n"), ("a/c.txt", b"x"), ("a/_vendor/d.py", b"x"), ("../e.py", b"x"),
        ("a/f.py", b"\xff"), ("/etc/g.py", b"x"),
    ]  # fmt: skip
    assert texts_of(files, "python") == {"a/b.py": "x = 1\n"}
