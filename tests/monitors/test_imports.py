"""What can be imported, asked of a real analyser and read from disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.imports import Imports
from guiderail.monitors.modules import ModulePath
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on a small project."""
    files = {
        "pack/__init__.py": "VALUE = 1\n\n\ndef function(): ...\n",
        "pack/part.py": "class Part: ...\n",
        "pack/free.py": "def __getattr__(name): ...\n",
        "alone.py": "X = 1\n",
        "pyproject.toml": '[project]\nname = "a"\ndependencies = ["needed-one>=1"]\n',
    }
    with project(tmp_path_factory.mktemp("imports"), files, PYREFLY) as started:
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
