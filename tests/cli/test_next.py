"""``guiderail next`` on small projects, with a real analyser."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named
from tests.editors.parrot import parrot_folder

SHOP = (
    "class Cart:\n    def add(self, item, count=1):\n        return item, count\n\n\ndef price(cart):\n    return 1\n"
)
APP = "from shop import Cart, price\n\ncart = Cart()\ncart.add('ü', count=3)\nprint(price(cart))\n"


WHO = os.environ | {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


@pytest.fixture
def project() -> Path:
    """A project of two files under git, in the working folder."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    root = Path.cwd()
    (root / "shop.py").write_text(SHOP)
    (root / "app.py").write_text(APP)
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], check=True, cwd=root, env=WHO)
    return root


def change(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)


def test_a_patch_of_what_follows(guiderail, project: Path) -> None:
    """The output is a patch that git applies; the files stay as they are."""
    change(project / "shop.py", ("class Cart", "class Basket"), ("def price", "def cost"))
    result = guiderail("next", "shop.py")
    assert (result.code, "4 edits in 1 file proposed" in result.err) == (0, True), result.err
    assert (project / "app.py").read_text() == APP
    subprocess.run(["git", "apply"], input=result.out.encode(), check=True, cwd=project)
    assert (project / "app.py").read_text() == APP.replace("Cart", "Basket").replace("price", "cost")


def test_apply(guiderail, project: Path) -> None:
    """What is applied leaves nothing to follow; the program still runs."""
    change(project / "shop.py", ("item, count=1", "item, number=1"), ("item, count", "item, number"))
    assert guiderail("next", "--apply").code == 0
    assert "number=3" in (project / "app.py").read_text()
    assert "0 edits in 0 files proposed" in guiderail("next").err
    subprocess.run(["python3", "app.py"], check=True, cwd=project)


def test_only_what_is_declared_in_a_line(guiderail, project: Path) -> None:
    """Lines count from 1; the parameters of a function are declared with it."""
    change(project / "shop.py", ("class Cart", "class Basket"), ("def price", "def cost"), ("count=1", "number=1"))
    change(project / "shop.py", ("return item, count", "return item, number"))
    kinds = {
        line: json.loads(guiderail("next", "shop.py", "--line", line, "--json").out)["edits"] for line in (1, 2, 6)
    }
    assert {line: {one["text"] for one in edits} for line, edits in kinds.items()} == {
        1: {"Basket"}, 2: {"number"}, 6: {"cost"}
    }  # fmt: skip
    assert json.loads(guiderail("next", "shop.py", "--line", "5", "--json").out)["edits"] == []


def test_a_value_that_nobody_knows_is_left_to_the_person(guiderail, project: Path) -> None:
    change(project / "shop.py", ("price(cart)", "price(cart, id)"))  # a builtin has that name everywhere
    found = json.loads(guiderail("next", "shop.py", "--json").out)
    assert found["edits"] == []
    assert found["left"] == [
        {"file": str(project / "app.py"), "line": 5, "why": "price(cart, id): it needs a value for id"}
    ]


def test_a_model_writes_the_values_if_asked_to(guiderail, project: Path, tmp_path: Path) -> None:
    """Inside the hole only, in a patch like all edits."""
    change(project / "shop.py", ("price(cart)", "price(cart, size)"))
    model = parrot_folder(tmp_path / "model", " 12)")
    result = guiderail("next", "shop.py", "--values", "--model", model, "--confidence", "off")
    assert re.search(r"^\+print\(price\(cart, \d+\)\)$", result.out, re.MULTILINE), result.out + result.err
    assert "left alone" not in result.err


def test_what_was_changed_twice_by_hand_is_proposed_at_like_places(guiderail, project: Path) -> None:
    lines = "".join(f"cart.add({number})\n" for number in range(4))
    (project / "app.py").write_text(APP + lines)
    subprocess.run(["git", "commit", "-q", "-m", "more", "app.py"], check=True, cwd=project, env=WHO)
    change(project / "app.py", ("add(0)", "add(0, count=2)"), ("add(1)", "add(1, count=2)"))
    found = json.loads(guiderail("next", "app.py", "--json").out)
    assert {(one["range"]["start"]["line"], one["text"]) for one in found["edits"]} == {
        (8, "cart.add(2, count=2)"), (9, "cart.add(3, count=2)")
    }  # fmt: skip
    text = (project / "app.py").read_text()
    assert "2 like places are left" in guiderail("next", "app.py", "--apply").err
    assert (project / "app.py").read_text() == text


def test_what_a_change_breaks_is_named(guiderail, project: Path) -> None:
    """A field that is gone, another type that is returned: errors that no edit mends, with their lines."""
    (project / "model.py").write_text("class Box:\n    width: int = 1\n\n\ndef size() -> int:\n    return 1\n")
    (project / "uses.py").write_text("from model import Box, size\n\nprint(Box().width)\nx: int = size()\n")
    for words in (("add", "."), ("commit", "-q", "-m", "more")):
        subprocess.run(["git", *words], check=True, cwd=project, env=WHO)
    change(project / "model.py", ("width: int = 1", "pass"), ("-> int:\n    return 1", "-> str:\n    return ''"))
    found = json.loads(guiderail("next", "model.py", "--json").out)
    assert found["edits"] == []
    assert [(Path(one["file"]).name, one["line"]) for one in found["left"]] == [("uses.py", 3), ("uses.py", 4)]


def test_what_was_adapted_is_not_adapted_again(guiderail, project: Path) -> None:
    """Swapped parameters would be swapped back."""
    change(project / "shop.py", ("item, count=1", "count, item"))
    (project / "app.py").write_text(APP.replace("'ü', count=3", "'ü', 3"))
    subprocess.run(["git", "commit", "-q", "-m", "by position", "app.py"], check=True, cwd=project, env=WHO)
    assert guiderail("next", "--apply").code == 0
    adapted = (project / "app.py").read_text()
    assert "cart.add(3, 'ü')" in adapted
    assert "0 edits" in guiderail("next", "--apply").err
    assert (project / "app.py").read_text() == adapted


def test_changes_of_two_files_meet_in_one_line(guiderail, project: Path) -> None:
    """Of edits that overlap the inner one is made, and the outer one is left to the person."""
    (project / "one.py").write_text("def f(a, b): ...\n")
    (project / "two.py").write_text("def g(a, b): ...\n")
    (project / "both.py").write_text("from one import f\nfrom two import g\n\nprint(f(g(1, 2), 3))\n")
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    change(project / "one.py", ("a, b", "b, a"))
    change(project / "two.py", ("a, b", "a, *, b"))
    result = guiderail("next", "--apply")
    assert (project / "both.py").read_text().endswith("print(f(g(1, b=2), 3))\n"), result.err
    assert "both.py:4: left alone: f(b, a): it holds another edit" in result.err


def test_files_that_are_no_text_are_passed_over(guiderail, project: Path) -> None:
    for name in ("picture.png", "broken.py"):
        (project / name).write_bytes(b"\0\xff")
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    for name in ("picture.png", "broken.py"):
        (project / name).write_bytes(b"\0\xfe")
    change(project / "shop.py", ("def price", "def cost"))
    result = guiderail("next")
    assert (result.code, "2 edits in 1 file proposed" in result.err) == (0, True), result.err
    assert "picture.png" not in result.err


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["app.py", "sub folder/ä.py", "tab\tand\nline.py"])
def test_the_patch_can_be_applied(guiderail, project: Path, end: str, mark: str, name: str) -> None:
    """Without an end of the last line, with a byte order mark, with line separators that are none of git's."""
    file = project / name
    file.parent.mkdir(exist_ok=True)
    text = mark + "from shop import price\n\nx = '\x0c \u2028'\n" + "y = 1\n" * 20 + f"print(price(1)){end}"
    file.write_bytes(text.encode())
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    change(project / "shop.py", ("def price", "def cost"))
    result = guiderail("next")
    subprocess.run(["git", "apply"], input=result.out.encode(), check=True, cwd=project)
    assert file.read_bytes() == text.replace("price", "cost").encode()


def test_an_earlier_text_without_git(guiderail, project: Path, tmp_path: Path) -> None:
    """Windows line ends, and characters beyond ASCII before the place."""
    (project / "app.py").write_bytes(APP.replace("\n", "\r\n").encode())
    (tmp_path / "old.py").write_text(SHOP)
    change(project / "shop.py", ("item, count=1", "item, number=1"), ("item, count", "item, number"))
    result = guiderail("next", "shop.py", "--before", tmp_path / "old.py", "--apply")
    assert result.code == 0, result.err
    wanted = APP.replace("count=3", "number=3").replace("\n", "\r\n")
    assert (project / "app.py").read_bytes() == wanted.encode()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--since", "nowhere"), "cannot read nowhere"),
        ((".",), "is a folder"),
        (("--since", "--output=x"), "is no revision"),
        (("new.py",), "is not in the revision"),
        (("--before", "shop.py"), "of one FILE"),
        (("--line", "3"), "of one FILE"),
        (("shop.py", "--line", "999"), "has no line 999"),
        (("missing.py",), "missing.py"),
    ],
)
def test_bad_input_is_one_line(guiderail, project: Path, words: tuple[str, ...], message: str) -> None:
    (project / "new.py").write_text("x = 1\n")
    result = guiderail("next", *words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err


def test_a_file_with_errors_of_syntax_is_named(guiderail, project: Path) -> None:
    (project / "shop.py").write_text("def price(:\n")
    result = guiderail("next", "shop.py")
    assert (result.code, result.out) == (0, "")
    assert "shop.py has errors of syntax" in result.err


GREET = "def greet(name, count=0): ...\n\n\ndef area(width, height): ...\n"


@pytest.mark.parametrize("is_git", [True, False])
def test_calls_in_a_new_file_are_right_already(guiderail, project: Path, tmp_path: Path, is_git: bool) -> None:
    """With the revision, and with the earlier text of one file; a renamed name still is renamed there."""
    (project / "greet.py").write_text(GREET)
    (project / "used.py").write_text("from greet import area\n\narea(2, 3)\n")
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    change(project / "greet.py", ("name, count=0", "count=0"), ("width, height", "height, width"))
    subprocess.run(["git", "mv", "used.py", "moved.py"], check=True, cwd=project)
    (project / "moved.py").write_text("from greet import area\n\narea(3, 2)\n")
    (project / "new.py").write_text("from greet import greet\n\ngreet(5)\n")
    (tmp_path / "old.py").write_text(GREET)
    words = () if is_git else ("greet.py", "--before", tmp_path / "old.py")
    found = json.loads(guiderail("next", *words, "--json").out)
    assert found["edits"] == []
    left = [(Path(one["file"]).name, one["line"], one["why"].partition(", or")[0]) for one in found["left"]]
    assert sorted(left) == [
        ("moved.py", 3, "area(height, width): the file is new since then"),
        ("new.py", 3, "greet(count): the file is new since then"),
    ]


def test_a_name_is_renamed_in_a_new_file(guiderail, project: Path) -> None:
    (project / "new.py").write_text("from shop import price\n\nprice(5)\n")
    change(project / "shop.py", ("def price", "def cost"))
    assert guiderail("next", "--apply").code == 0
    assert (project / "new.py").read_text() == "from shop import cost\n\ncost(5)\n"


def test_changes_in_the_same_words_are_told_apart_by_their_line(guiderail, project: Path) -> None:
    """Two functions have a parameter of one name; what is left alone is told apart too."""
    (project / "two.py").write_text("def f(a, b=0): ...\ndef g(a): ...\n")
    used = "from two import f, g\n\nf(a=1)\ng(a=2)\na = z = 3\n\n\ndef h():\n    import two as w\n    w.f(a=z)\n"
    (project / "used.py").write_text(used)
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    change(project / "two.py", ("f(a", "f(z"), ("g(a", "g(z"))
    found = {
        line: json.loads(guiderail("next", "two.py", "--line", line, "--json").out)["edits"] for line in ("1", "2")
    }
    lines = {line: [one["range"]["start"]["line"] for one in edits] for line, edits in found.items()}
    assert lines == {"1": [3, 10], "2": [4]}


def test_what_is_left_alone_is_told_apart_by_the_line(guiderail, project: Path) -> None:
    (project / "two.py").write_text("class A:\n    def f(self): ...\nclass B:\n    def f(self): ...\n")
    (project / "used.py").write_text("from two import A, B\n\nA().f()\nB().f()\n")
    subprocess.run(["git", "add", "."], check=True, cwd=project)
    subprocess.run(["git", "commit", "-q", "-m", "more"], check=True, cwd=project, env=WHO)
    change(project / "two.py", ("def f(self)", "def f(self, x)"), ("def f(self)", "def f(self, x)"))
    for line, wanted in (("2", 3), ("4", 4)):
        left = json.loads(guiderail("next", "two.py", "--line", line, "--json").out)["left"]
        assert [one["line"] for one in left] == [wanted]
