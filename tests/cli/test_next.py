"""``guiderail next`` on small projects, with a real analyser."""

import json
import subprocess
from pathlib import Path

import pytest

from guiderail.monitors.analysis.servers import server_named

SHOP = (
    "class Cart:\n    def add(self, item, count=1):\n        return item, count\n\n\ndef price(cart):\n    return 1\n"
)
APP = "from shop import Cart, price\n\ncart = Cart()\ncart.add('ü', count=3)\nprint(price(cart))\n"


@pytest.fixture
def project() -> Path:
    """A project of two files under git, in the working folder."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    root = Path.cwd()
    (root / "shop.py").write_text(SHOP)
    (root / "app.py").write_text(APP)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], check=True, cwd=root)
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


def test_a_value_that_nobody_knows_is_left_to_the_person(guiderail, project: Path) -> None:
    change(project / "shop.py", ("price(cart)", "price(cart, currency)"))
    result = guiderail("next", "shop.py", "--json")
    found = json.loads(result.out)
    assert (found["edits"], found["dropped"]) == ([], [])
    (left,) = found["open"]
    assert left["missing"] == ["currency"]
    assert left["range"]["start"] == {"line": 5, "column": 16}


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
        (("--since", "nowhere"), "no revision nowhere"),
        (("--since", "--output=x"), "is no revision"),
        (("new.py",), "is not in HEAD"),
        (("--before", "shop.py"), "of one FILE"),
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
