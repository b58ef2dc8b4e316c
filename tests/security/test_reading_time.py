"""Files that are small enough one by one, but not in sum, and sources that take quadratic time: reading ends soon."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guiderail.allowance import Allowance, is_over
from guiderail.monitors.python import modules
from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.project import pyrefly_configuration, python_project
from guiderail.monitors.runtime.openness import Runtime
from guiderail.monitors.runtime.reader import read_facts
from guiderail.monitors.runtime.sources import Sources
from guiderail.text.syntax import find, parse

SITE = ".venv/lib/python3.11/site-packages"
SOON = 8.0  # seconds of processor time, on a busy machine; each of these took from half a minute to days


@contextmanager
def soon() -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < SOON


def finders(root: Path) -> None:
    """One finder of an editable installation, named 200,000 times."""
    (root / SITE).mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").touch()
    (root / SITE / "editable.py").write_text("x = [" + "1," * 120_000 + "]\n")
    for number in range(50):
        (root / SITE / f"a{number}.pth").write_text("import editable;" * 4000)


def lists(root: Path) -> None:
    """Lists of requirements that all are one file."""
    (root / "requirements").mkdir()
    (root / "big").write_text("#" * ((1 << 20) - 1))
    for number in range(9000):
        (root / "requirements" / f"{number}.txt").symlink_to("../big")


def patterns(root: Path) -> None:
    """Workspace members to be looked for in a folder of many names, again and again."""
    (root / "w").mkdir()
    for number in range(9000):
        (root / "big" / f"f{number}").mkdir(parents=True)
    for number in range(199):
        (root / "w" / f"link{number}").symlink_to("../big")
    members = ", ".join(f'"w/*/*{number}zz"' for number in range(10))
    (root / "pyproject.toml").write_text(f"[tool.uv.workspace]\nmembers = [{members}]\n")


def deep(name: str, text: str) -> Callable[[Path], None]:
    """One file in each of the folders above one another."""

    def make(root: Path) -> None:
        (root / name).write_text(text)
        for level in range(1, 46):
            place = root.joinpath(*["d"] * level)
            place.mkdir()
            (place / name).symlink_to(root / name)

    return make


MADE = {
    "finders": finders,
    "lists": lists,
    "patterns": patterns,
    "setup scripts": deep("setup.py", "g(1, 2, 3)\n" * 11_000),
    "manifests": deep("pyproject.toml", "x = [" + "[1]," * 50_000 + "]\n"),
}


@pytest.mark.parametrize("name", MADE)
def test_all_that_is_read_of_a_project_together_is_bounded(tmp_path: Path, name: str) -> None:
    """What was not read may name the right module, so none is known, and a person can ask why."""
    MADE[name](tmp_path)
    deepest = tmp_path.joinpath(*["d"] * 45)
    path = ModulePath(tmp_path, deepest if deepest.is_dir() else tmp_path)
    with soon():
        assert path.modules() is None
        assert path.doubt() == "reading the project takes too long"


def test_projects_in_a_project_share_the_time(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"p{number}").mkdir()
        for name in ("setup.py", "BUILD"):
            (tmp_path / f"p{number}" / name).write_text("g(1, 2, 3)\n" * 11_000)
    with soon():
        assert tmp_path in python_project(tmp_path).roots


def test_the_persons_own_list_of_trust_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "READ_S", 0.0)
    monkeypatch.setattr(modules, "is_trusted", lambda *_: not is_over())
    path = ModulePath(tmp_path)
    with path.allowance.used():
        assert is_over()
        assert path._is_trusted


def test_a_use_inside_a_use_is_a_part_of_it() -> None:
    allowance = Allowance(0.0)
    with allowance.used():
        with allowance.used():
            assert is_over()
        assert is_over()
    assert not is_over()


@pytest.mark.parametrize("value", ["5", "true", "1.5", '"x"', "[5]", "[[5]]", "{ a = 5 }", "1979-05-27"])
@pytest.mark.parametrize(
    "key",
    [
        "poetry.packages", "pyright.executionEnvironments", "hatch.envs", "poetry.group", "uv.sources", "ruff.src",
        "uv.workspace.members", "setuptools.packages.find.where", "poetry.dependencies", "pdm.dev-dependencies",
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_says_nothing(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool]\n{key} = {value}\n")
    assert tmp_path in ModulePath(tmp_path).roots
    assert "os" in (ModulePath(tmp_path).modules() or ())


@pytest.mark.parametrize("text", ["5", "[]", '{"executionEnvironments": 5, "extraPaths": {"a": [1]}}', "null", '"x"'])
def test_a_wrong_type_in_json_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyrightconfig.json").write_text(text)
    assert tmp_path in ModulePath(tmp_path).roots


def test_the_configuration_for_pyrefly_is_valid_for_folders_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / "😀é\"'\\"
    root.mkdir()
    said = tomllib.loads(pyrefly_configuration(python_project(root), trusted=False))
    assert said["search-path"] == [str(root)]


SOURCES = {
    "classes and what is set on others": "".join(f"class A{n}: 0\n" for n in range(40_000))
    + "def f():\n"
    + " x.y\n" * 60_000,
    "keywords of a class": "class A(" + "a=1," * 250_000 + "): 0",
    "methods": "class A:\n" + "".join(f" def f{n}(s): s.a{n} = 1\n" for n in range(30_000)),
    "lambdas": "x = " + "lambda:" * 99_000 + "0",
    "calls in calls": "a(" * 90_000 + ")" * 90_000,
    "a chain of calls": "a" + ".b()" * 90_000,
    "a chain of attributes": "x" + ".a" * 400_000,
    "public names": "__all__ = [" + "'a'," * 200_000 + "]",
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_read_soon_or_not_at_all(name: str) -> None:
    with soon():
        read_facts.__wrapped__(SOURCES[name])


def test_a_search_in_a_deep_tree_is_no_longer_than_the_tree() -> None:
    """All other threads wait for it."""
    root = parse(b"x = " + b"lambda:" * 99_000 + b"0", "python", 5.0)
    with soon():
        assert find(root, "python", "(lambda) @it")


def runtime(root: Path, **files: str) -> Runtime:
    """What is known of main.py and the files beside it."""
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    return Runtime(Sources(root, root / "main.py", read_facts(files["main"]) or pytest.fail("not read")))


def test_files_that_import_all_of_one_another_are_looked_at_once(tmp_path: Path) -> None:
    everything = "".join(f"from m{n} import *\n" for n in range(12))
    asked = runtime(tmp_path, main="from m0 import *\n", **{f"m{n}": everything for n in range(12)})
    with soon():
        assert asked.of_name("Nowhere", tmp_path / "main.py") is None


def test_countless_bases_end_the_search_and_leave_the_class_open(tmp_path: Path) -> None:
    bases = ", ".join(f"b{n}" for n in range(20_000))
    asked = runtime(tmp_path, main="".join(f"class b{n}: 0\n" for n in range(20_000)) + f"class A({bases}): 0\n")
    with soon():
        assert (found := asked.of_name("A", tmp_path / "main.py")) and found.open
        assert asked.is_called_otherwise("A", tmp_path / "main.py")
        assert asked.of_module(tmp_path / "main.py").open


def test_a_chain_of_classes_is_followed_in_linear_time(tmp_path: Path) -> None:
    asked = runtime(tmp_path, main="".join(f"class A{n}(A{n - 1}):\n x{n} = 1\n" for n in range(6_000)))
    facts = asked.sources.facts(tmp_path / "main.py") or pytest.fail("not read")
    with soon():
        assert {"x0", "x5999"} <= asked.related(facts, facts.classes[0])


@pytest.mark.parametrize(
    "text", ["from ..outside import Token\n", "from .......etc import Token\n", "import outside\n"]
)
def test_no_import_leads_out_of_the_project(tmp_path: Path, text: str) -> None:
    """Neither by dots nor by an __init__.py at the top, which makes the folder above the place of its package."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.py").write_text("class Token:\n    hidden = 1\n")
    (root / "__init__.py").touch()
    asked = runtime(root, main=text)
    module = "..outside" if text.startswith("from") else "outside"
    assert asked.sources.module(module, root / "main.py") is None
    assert asked.of_name("Token" if "Token" in text else "outside.Token", root / "main.py") is None
