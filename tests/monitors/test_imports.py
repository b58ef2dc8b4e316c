"""What can be imported, asked of a real analyser and read from disk."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail import projectfile
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.imports import Imports
from guiderail.monitors.python.modules import ModulePath
from guiderail.text.document import Document
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on a small project, in the environment that these tests run in."""
    files = {
        "pack/__init__.py": "VALUE = 1\n\n\ndef function(): ...\n",
        "pack/part.py": "class Part: ...\n",
        "pack/free.py": "def __getattr__(name): ...\n",
        "alone.py": "X = 1\n",
        "pyproject.toml": '[project]\nname = "a"\noptional-dependencies = {a = ["needed-one>=1"]}\n',
    }
    with (
        pytest.MonkeyPatch.context() as patch,
        project(tmp_path_factory.mktemp("imports"), files, PYREFLY) as started,
    ):
        patch.setenv("VIRTUAL_ENV", sys.prefix)
        yield started


@pytest.mark.parametrize(
    ("text", "legal", "illegal"),
    [
        ("import ", {"pack", "alone", "os", "click", "needed_one"}, {"nowhere", "part", "alone_"}),
        ("import os, al", {"one"}, {"so"}),
        ("from ", {"pack", "json", ".x"}, {"nowhere"}),
        ("import pack.", {"part"}, {"nowhere", "function"}),
        ("from .", {"pack", " import"}, {"nowhere"}),
        ("from pack import ", {"VALUE", "function", "part", "*", "(x"}, {"Part", "nowhere"}),
        ("from pack import (\n    VALUE,  # one\n    fun", {"ction, x"}, {"ctio"}),
        ("from .pack import ", {"VALUE", "part"}, {"nowhere"}),
        ("from pack.part import ", {"Part"}, {"VALUE"}),
        ("def f():\n    from os import ", {"path", "sep"}, {"nowhere"}),
    ],
)
def test_only_what_exists_can_be_imported(analyser, text: str, legal: set[str], illegal: set[str]) -> None:
    """Modules are those on the import path, names are those of the module and the modules inside it."""
    restriction = restriction_of(Imports(), analyser, text)
    assert restriction.reason is None
    assert {truth for truth in legal | illegal if restriction.allows(truth)} == legal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("try:\n    import ", "optional"),
        ("if x:\n    def f():\n        import ", "optional"),
        ("def f():\n    from ", "optional"),
        ("from nowhere import ", "unknown module"),
        ("from pack.free import ", "dynamic"),
        ("import nowh", "no such name"),
        ("import os.", "unknown package"),
    ],
)
def test_reasons_to_abstain(analyser, text: str, reason: str) -> None:
    """What may not be installed, cannot be resolved, or makes its names up is left free."""
    assert restriction_of(Imports(), analyser, text).reason == reason


@pytest.mark.parametrize(
    "text",
    ["x = 1", "important ", "# import ", "'import ", "x.import ", "from a import b as ", "import a as ", "print("],
)
def test_nothing_is_asked_elsewhere(text: str) -> None:
    """Other statements, comments, strings and the names given by `as` trigger nothing."""
    assert Imports().trigger(snapshot(text)) is None


def test_the_import_path_is_that_of_the_environment(tmp_path: Path) -> None:
    """A project's own environment is read, with the folders its .pth files name."""
    site = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    (site / "installed").mkdir(parents=True)
    (site / "fast.cpython-311.so").touch()
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (tmp_path / "elsewhere" / "linked").mkdir(parents=True)
    (site / "links.pth").write_text(f"# a comment\n{tmp_path / 'elsewhere'}\nimport sys\n")
    (tmp_path / "src" / "own").mkdir(parents=True)
    found = ModulePath(tmp_path).modules()
    assert found is not None
    assert {"installed", "fast", "linked", "own", "os", "sys"} <= found
    assert "links" not in found
    assert ModulePath(tmp_path).modules("installed") == frozenset()
    assert ModulePath(tmp_path).modules("nowhere") is None


@pytest.mark.parametrize("change", ["import sys\nsys.path.insert(0, '..')", "import site\nsite.addsitedir('x')"])
def test_a_file_that_changes_its_import_path_may_import_anything(analyser, change: str) -> None:
    assert restriction_of(Imports(), analyser, f"{change}\nimport ").reason == "dynamic"
    assert restriction_of(Imports(), analyser, f"{change}\nfrom pack import ").reason is None


def test_without_an_environment_no_module_is_forbidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only guiderail's own packages are at hand. The modules in a package of the project are known all the same."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", "")
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "part.py").touch()

    def reason(text: str) -> str | None:
        document = Document(text, language="python")
        cursor = CursorContext(document, len(text), tmp_path / "a.py", root=tmp_path)
        trigger = Imports().trigger(cursor.snapshot())
        assert trigger is not None
        return trigger.interpret(None).reason

    assert [reason(text) for text in ("import ", "from ", "import pack.")] == ["no environment", "no environment", None]


def test_a_script_may_import_what_its_own_head_requires(analyser) -> None:
    text = '# /// script\n# dependencies = ["opencv-python"]\n# ///\nimport '
    assert restriction_of(Imports(), analyser, text).allows("cv2\n")


def test_a_link_imports_what_either_of_its_places_does(tmp_path: Path) -> None:
    """Python follows it for a script, and does not for a module."""
    for name in ("real/script.py", "real/beside_real.py", "other/beside_link.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    link = tmp_path / "other" / "script.py"
    link.symlink_to(tmp_path / "real" / "script.py")
    cursor = CursorContext(Document("import ", language="python"), 7, link, root=tmp_path)
    trigger = Imports().trigger(cursor.snapshot())
    assert trigger is not None
    restriction = trigger.interpret(None)
    assert restriction.allows("beside_real") and restriction.allows("beside_link")


@pytest.mark.parametrize(
    ("files", "text", "reason", "legal"),
    [
        ({"names.py": "for x in 'ab': globals()[x] = 1\n"}, "from names import ", "dynamic", ""),
        ({"lazy.py": "__getattr__, __all__ = attach(__name__)\n"}, "from lazy import ", "dynamic", ""),
        ({"p/__init__.py": "from .a import *\n", "p/a.py": "__all__ = ['C']\nC = 1\n"}, "from p import ", None, "C"),
        ({"k.py": "from p import *\n", "p.py": "C = 1\n"}, "from k import ", None, "C"),
        ({"w.py": "import sys\nif sys.platform == 'win32':\n    C = 1\n"}, "from w import ", None, "C"),
    ],
)  # fmt: skip
def test_names_that_a_module_gets_at_run_time(tmp_path: Path, files, text: str, reason: str | None, legal: str) -> None:
    """It abstains from a module that fills itself; names of stars and under conditions are legal."""
    with project(tmp_path, files, PYREFLY) as analyser:
        restriction = restriction_of(Imports(), analyser, text, file="use.py")
    assert restriction.reason == reason
    assert not legal or restriction.allows(legal)


def test_folders_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not again at each key of the line that imports."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "cart.py").touch()
    path = ModulePath(tmp_path)
    first = [path.modules(package) for package in ("", "shop")]
    assert first[1] == {"cart"}
    monkeypatch.setattr(projectfile, "read_folder", None)
    assert [path.modules(package) for package in ("", "shop")] == first
