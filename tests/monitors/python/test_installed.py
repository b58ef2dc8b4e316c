"""What an environment links to: .pth files, egg-links, and the finders of editable installations."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.monitors.python.modules import ModulePath
from tests.monitors.python.layouts import environment, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the sources of a package that is installed for development."""
    return write(tmp_path / "root", {"packages/core/src/core/part.py": "", "packages/core/src/core/__init__.py": ""})


SOURCES = "packages/core/src"


@pytest.mark.parametrize(
    "files",
    [
        {"core.pth": "../../../../packages/core/src\n"},
        {"core.pth": "{root}/packages/core/src"},
        {"core.pth": "# a comment\r\n\r\nimport sys\r\n{root}/packages/core/src\r\n"},
        {"__editable__.core-1.0.pth": "{root}/packages/core/src\n"},
        {"easy-install.pth": "import sys; sys.__plen = len(sys.path)\n/nowhere\n{root}/packages/core/src\n"},
        {"core.egg-link": "{root}/packages/core/src\n../\n"},
        {
            "__editable__.core-1.0.pth": "import __editable___core_1_finder; __editable___core_1_finder.install()\n",
            "__editable___core_1_finder.py": (
                "MAPPING: dict[str, str] = {{'core': '{root}/packages/core/src/core'}}\n"
                "NAMESPACES: dict[str, list[str]] = {{}}\nPATH_PLACEHOLDER = '__editable__.core-1.0.finder'\n"
            ),
        },
        {
            "_editable_impl_core.pth": "import _editable_impl_core\n",
            "_editable_impl_core.py": (
                "from editables.redirector import RedirectingFinder as F\n"
                "F.install()\nF.map_module('core', '{root}/packages/core/src/core/__init__.py')\n"
            ),
        },
        {
            "_core_editable.pth": "import _core_editable\n",
            "_core_editable.py": "install({{'core': '{root}/packages/core/src/core/__init__.py'}}, {{}}, None)\n",
        },
    ],
    ids=["relative", "absolute", "crlf", "editable", "easy-install", "egg-link", "finder", "editables", "scikit-build"],
)
def test_linked_modules_are_known(root: Path, files: dict[str, str]) -> None:
    """However the installation links to its sources."""
    site = environment(root / ".venv", "other")
    write(site, {name: text.format(root=root) for name, text in files.items()})
    path = ModulePath(root)
    assert {"core", "other"} <= (path.modules() or frozenset())
    assert "part" in (path.modules("core") or ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "install(sys.argv)",
        "install({'core'}, '/build', ['ninja'], None)",
        "def broken(",
        "MAPPING = {'core': here}",
    ],
)
def test_where_a_finder_is_not_understood_all_is_free(root: Path, text: str) -> None:
    """Meson's, say, builds its modules when they are imported."""
    site = environment(root / ".venv", "other")
    write(site, {"_core_editable_loader.pth": "import _core_editable_loader\n", "_core_editable_loader.py": text})
    assert ModulePath(root).modules() is None


def test_other_code_in_pth_files_brings_no_modules(root: Path) -> None:
    """Virtualenv, coverage and setuptools start something in that way."""
    site = environment(root / ".venv", "other")
    write(site, {"_virtualenv.pth": "import _virtualenv\n", "distutils-precedence.pth": "import os; os.getcwd();\n"})
    assert "other" in (ModulePath(root).modules() or ())


@pytest.mark.parametrize(
    "line",
    ['import sys; sys.path.insert(0, "/x")', "import sys;sys.path[0:0] = ['/x']", "import site; site.addsitedir('/x')"],
)
def test_where_code_in_a_pth_file_adds_folders_all_is_free(root: Path, line: str) -> None:
    """Which they are is not known."""
    site = environment(root / ".venv", "other")
    write(site, {"more.pth": f"{line}\n"})
    assert ModulePath(root).modules() is None


def test_an_untrusted_projects_environment_links_to_nothing_outside(root: Path, tmp_path: Path) -> None:
    """A finder or a .pth file may name any folder; what is left out may hold the right module."""
    write(tmp_path / "outside", {"private/secret.py": ""})
    site = environment(root / ".venv", "other")
    mapping = f"MAPPING = {{'private': '{tmp_path / 'outside' / 'private'}'}}\n"
    write(site, {"__editable__.a.pth": "import __editable___a_finder\n", "__editable___a_finder.py": mapping})
    assert ModulePath(root).modules("private") is None
    assert ModulePath(root).modules() is None


def test_parts_of_a_namespace_are_joined(root: Path) -> None:
    """Several distributions share one, and none has an __init__.py there."""
    site = environment(root / ".venv", "other")
    write(site, {"acme/one/__init__.py": "", "links.pth": f"{root / 'lib'}\n"})
    write(root, {"lib/acme/two.py": "", "acme/three/__init__.py": ""})
    assert ModulePath(root).modules("acme") == {"one", "two", "three"}


def test_a_package_that_changes_its_path_may_have_more_modules(root: Path) -> None:
    site = environment(root / ".venv", "other")
    write(
        site, {"old/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n", "old/a.py": ""}
    )
    assert ModulePath(root).modules("old") is None
