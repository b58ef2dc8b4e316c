"""Which Python runs a project: its own environment, an active one, one that a tool keeps, or nobody knows."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from guiderail.monitors.analysis.workspaces import trust
from guiderail.monitors.python.interpreter import Interpreter
from guiderail.monitors.python.modules import ModulePath
from tests.monitors.python.layouts import environment, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty project."""
    return write(tmp_path / "root", {"app/main.py": ""})


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:8]


def _modules(root: Path, folder: str = "", python: str = "") -> frozenset[str]:
    path = ModulePath(root, root / folder, python)
    assert path.doubt() is None
    return path.modules() or frozenset()


@pytest.mark.parametrize("marker", ["pyvenv.cfg", "conda-meta"])
@pytest.mark.parametrize("name", [".venv", "venv", "env", ".conda", ".pixi/envs/default"])
def test_an_environment_in_the_project_is_found_by_any_of_its_names(root: Path, name: str, marker: str) -> None:
    environment(root / name, "installed", marker=marker)
    assert "installed" in _modules(root)


def test_a_sub_project_has_its_own_environment(root: Path) -> None:
    """The nearest above a file counts."""
    environment(root / ".venv", "outer")
    environment(root / "app" / ".venv", "inner")
    assert "inner" in _modules(root, "app")
    assert "outer" not in _modules(root, "app")
    assert "inner" not in _modules(root)


@pytest.mark.parametrize(("variable", "marker"), [("VIRTUAL_ENV", "pyvenv.cfg"), ("CONDA_PREFIX", "conda-meta")])
def test_an_active_environment_counts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, marker: str
) -> None:
    environment(tmp_path / "elsewhere", "installed", marker=marker)
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    assert "installed" in _modules(root)


def test_of_two_active_environments_the_one_first_on_the_search_path_counts(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conda environment can be activated from a virtual environment, and the other way round."""
    for variable, name in (("VIRTUAL_ENV", "first"), ("CONDA_PREFIX", "second")):
        environment(tmp_path / name, name, marker="pyvenv.cfg" if name == "first" else "conda-meta")
        monkeypatch.setenv(variable, str(tmp_path / name))
    for one, other in (("first", "second"), ("second", "first")):
        monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name / "bin") for name in (one, other)))
        assert ModulePath(root).interpreter.prefix == tmp_path / one
        assert {"first", "second"} <= _modules(root)  # either may be meant


@pytest.mark.parametrize("pin", ["3.12.7", "3.12", "shop-env", "shop-env\n3.12.7\n", "# none\n3.12.7\r\n"])
def test_pyenv_is_asked_for_what_the_project_pins(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pin: str
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    for name in ("3.12.7", "3.12.10", "3.9.1", "shop-env"):
        environment(tmp_path / "pyenv" / "versions" / name, "installed", version="3.12.7")
    write(root, {".python-version": pin})
    assert "installed" in _modules(root, "app")


@pytest.mark.parametrize("pin", ["../../outside", "/etc", "..", "a/b", "\0", "~"])
def test_a_pin_names_nothing_outside_the_persons_versions(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pin: str
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    environment(tmp_path / "outside", "installed")
    (tmp_path / "pyenv" / "versions").mkdir(parents=True)
    write(root, {".python-version": pin})
    assert ModulePath(root).doubt() == "no environment"


def test_environments_that_tools_keep_elsewhere_are_found_by_the_projects_place(root: Path) -> None:
    """Poetry, Pipenv and Hatch name them by a digest of it."""
    home = Path.home()
    kept = {
        home / ".cache/pypoetry/virtualenvs" / f"shop-{_digest(os.path.normcase(root))}-py3.11": "by_poetry",
        home / ".local/share/virtualenvs" / f"root-{_digest(str(root / 'Pipfile'))}": "by_pipenv",
        home / ".local/share/hatch/env/virtual/shop" / _digest(str(root)) / "shop": "by_hatch",
    }
    for place, name in kept.items():
        environment(place, name)
        assert name in _modules(root, "app")


@pytest.mark.parametrize("named", ["elsewhere", "elsewhere/bin/python"])
def test_what_a_person_names_goes_before_all(root: Path, tmp_path: Path, named: str) -> None:
    """An environment, or its interpreter."""
    environment(root / ".venv", "own")
    environment(tmp_path / "elsewhere", "named")
    write(tmp_path / "elsewhere", {"bin/python": ""})
    assert "named" in _modules(root, python=str(tmp_path / named))
    assert "own" not in _modules(root, python=str(tmp_path / named))


def test_without_an_environment_nobody_knows(root: Path) -> None:
    """Guiderail's own packages are not the project's."""
    assert ModulePath(root).doubt() == "no environment"


def test_an_environment_without_packages_tells_nothing(root: Path) -> None:
    """It was made, and nothing installed yet."""
    environment(root / ".venv")
    assert ModulePath(root).doubt() == "no environment"


def test_a_python_on_the_search_path_counts_if_it_has_what_the_project_needs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, where everything is installed for the system's Python."""
    site = tmp_path / "system" / "lib" / "python3.11" / "site-packages"
    write(site, {"needed/__init__.py": "", "needed-1.0.dist-info/METADATA": ""})
    write(tmp_path / "system", {"bin/python3.11": ""})
    (tmp_path / "system" / "bin" / "python3.11").chmod(0o755)
    (tmp_path / "system" / "bin" / "python3").symlink_to("python3.11")
    monkeypatch.setenv("PATH", str(tmp_path / "system" / "bin"))
    assert ModulePath(root).doubt() == "no environment"
    write(root, {"requirements.txt": "needed\n"})
    assert "needed" in _modules(root)
    assert ModulePath(root).interpreter.version == (3, 11)
    write(root, {"requirements.txt": "needed\nmissing\n"})
    assert ModulePath(root).doubt() == "no environment"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version = 3.12.1\n", (3, 12)),
        ("version_info = 3.13.0.final.0\n", (3, 13)),
        ("VERSION=3.9.2\r\n", (3, 9)),
        ("home = /nowhere\n", (3, 11)),
    ],
)
def test_the_version_is_what_the_environment_says(tmp_path: Path, text: str, version: tuple[int, int]) -> None:
    """Or the name of its folder of packages."""
    environment(tmp_path)
    write(tmp_path, {"pyvenv.cfg": text})
    assert Interpreter(tmp_path, "here").version == version


def test_an_environment_may_share_the_packages_of_the_python_that_made_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(tmp_path / "env", "own")
    write(tmp_path / "base", {"lib/python3.11/site-packages/shared/__init__.py": ""})
    text = f"home = {tmp_path / 'base' / 'bin'}\nversion = 3.11.4\ninclude-system-site-packages = {{}}\n"
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    for shares in ("true", "false"):
        write(tmp_path / "env", {"pyvenv.cfg": text.format(shares)})
        assert ("shared" in _modules(root)) == (shares == "true")


def test_a_file_may_name_the_environment_of_a_trusted_project(root: Path, tmp_path: Path) -> None:
    """In others it could name any folder."""
    environment(tmp_path / "elsewhere", "installed")
    write(root, {".venv": f"{tmp_path / 'elsewhere'}\n"})
    assert ModulePath(root).doubt() == "no environment"
    trust(root)
    assert "installed" in _modules(root)
