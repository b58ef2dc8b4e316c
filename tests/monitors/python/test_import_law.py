"""The law of import paths: a module that the project's interpreter really imports is never forbidden."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.monitors.python.modules import ModulePath
from tests.monitors.python.layouts import write

NAMES = ("alpha", "beta", "gamma")
FOLDERS = (
    "",
    "src",
    "lib",
    "app",
    "app/api",
    "tests",
    "tests/unit",
    "sub",
    "sub/src",
    "sub/pack",
    "sub/tests",
    "extra",
)
FORMS = ("{0}.py", "{0}/__init__.py", "{0}/inner/deep.py")
TRIED = """
import importlib, json, sys
found = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    found.append(name)
print(json.dumps(found))
"""
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
LINKS = (
    {},
    {"extra.pth": "../../../../extra\n"},
    {"extra.pth": "{root}/extra\n"},
    {"easy-install.pth": "{root}/extra\r\n"},
    {
        "__editable__.x.pth": "import __editable___x_finder; __editable___x_finder.install()\n",
        "__editable___x_finder.py": (
            "import sys\nfrom importlib.util import spec_from_file_location\n"
            "MAPPING = {{'delta': '{root}/mapped/delta'}}\n"
            "class _Finder:\n    @classmethod\n    def find_spec(cls, name, path=None, target=None):\n"
            "        if name in MAPPING:\n"
            "            return spec_from_file_location(name, MAPPING[name] + '/__init__.py')\n"
            "def install():\n    sys.meta_path.append(_Finder)\n"
        ),
    },
)
TRIALS = tuple(NAMES) + tuple(f"{name}.inner" for name in NAMES) + tuple(f"{name}.inner.deep" for name in NAMES)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[Path]:
    """A virtual environment with one distribution."""
    place = tmp_path_factory.mktemp("made") / ".venv"
    venv.EnvBuilder(symlinks=True).create(place)
    write(place / SITE, {"needed/__init__.py": "", "needed-1.0.dist-info/METADATA": "Name: needed\nVersion: 1.0\n"})
    yield place


@st.composite
def _layouts(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str], str]:
    """Modules in folders of a project, links of its environment, and the script that imports."""
    places = draw(
        st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(FORMS)), max_size=8)
    )
    files = {f"{folder}/{form.format(name)}".lstrip("/"): "" for folder, name, form in places}
    files |= {f"{folder}/__init__.py": "" for folder in draw(st.sets(st.sampled_from(FOLDERS[1:]), max_size=3))}
    files |= {f"{folder}/pyproject.toml".lstrip("/"): "" for folder in draw(st.sets(st.sampled_from(["", "sub"])))}
    files |= {
        "mapped/delta/__init__.py": "",
        "extra/linked.py": "",
        "sub/a.py": "",
        "tests/unit/a.py": "",
        "app/api/a.py": "",
    }
    return (
        files,
        draw(st.sampled_from(LINKS)),
        draw(st.sampled_from(["a.py", "sub/a.py", "tests/unit/a.py", "app/api/a.py"])),
    )


@settings(max_examples=40, deadline=None)
@given(_layouts())
def test_what_the_interpreter_imports_is_never_forbidden(
    made: Path, layout: tuple[dict[str, str], dict[str, str], str]
) -> None:
    """Run as a script, and as a module from the project's folder."""
    files, links, script = layout
    with TemporaryDirectory() as folder:
        root = write(Path(folder).resolve() / "project", files | {script: TRIED})
        shutil.copytree(made, root / ".venv", symlinks=True)
        write(root / ".venv" / SITE, {name: text.format(root=root) for name, text in links.items()})
        module = script.removesuffix(".py").replace("/", ".")
        for words in ([script], ["-m", module]):
            tried = [*TRIALS, "delta", "linked", "needed", "json", "sys", "nowhere"]
            command = [str(root / ".venv" / "bin" / "python"), *words, *tried]
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
            imported = json.loads(done.stdout)
            assert {"needed", "json"} <= set(imported)
            _assert_free(ModulePath(root, (root / script).parent), imported)


def _assert_free(path: ModulePath, imported: list[str]) -> None:
    for name in imported:
        package, _, last = name.rpartition(".")
        modules = path.modules(package)
        assert modules is None or last in modules, name
