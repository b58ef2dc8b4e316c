"""From where a file's absolute imports start."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.project import pyrefly_configuration, python_project
from tests.monitors.python.layouts import environment, write


def _imported(root: Path, folder: str = "") -> frozenset[str]:
    return ModulePath(root, root / folder).modules() or frozenset()


def test_a_script_and_a_test_import_their_neighbours(tmp_path: Path) -> None:
    """And pytest's files those of the folders above that are no packages."""
    write(
        tmp_path,
        {"tools/run.py": "", "tools/common.py": "", "t/helpers.py": "", "t/conftest.py": "", "t/unit/test_a.py": ""},
    )
    assert "common" in _imported(tmp_path, "tools")
    assert "helpers" in _imported(tmp_path, "t/unit")
    assert "common" not in _imported(tmp_path, "t/unit")


def test_the_inside_of_a_package_is_no_root(tmp_path: Path) -> None:
    """Except for a file's own folder: it may be a script."""
    write(tmp_path, {"pack/__init__.py": "", "pack/inner.py": "", "pack/sub/__init__.py": "", "pack/sub/own.py": ""})
    assert "own" in _imported(tmp_path, "pack/sub")
    assert "inner" not in _imported(tmp_path, "pack/sub")


@pytest.mark.parametrize(
    "manifest", ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "manage.py", "Pipfile"]
)
def test_a_sub_project_is_a_root_though_it_looks_like_a_package(tmp_path: Path, manifest: str) -> None:
    write(
        tmp_path,
        {
            "backend/__init__.py": "",
            f"backend/{manifest}": "",
            "backend/app/api/a.py": "",
            "backend/app/__init__.py": "",
        },
    )
    assert "app" in _imported(tmp_path, "backend/app/api")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[tool.setuptools]\npackage-dir = {"" = "code"}\n'),
        ("pyproject.toml", '[tool.setuptools.packages.find]\nwhere = ["code"]\n'),
        ("pyproject.toml", '[[tool.poetry.packages]]\ninclude = "shop"\nfrom = "code"\n'),
        ("pyproject.toml", '[tool.poetry]\npackages = [{include = "shop", from = "code"}]\n'),
        ("pyproject.toml", '[tool.hatch.build.targets.wheel]\npackages = ["code/shop"]\n'),
        ("pyproject.toml", '[tool.hatch.build]\nsources = ["code"]\n'),
        ("pyproject.toml", '[tool.hatch.build.targets.wheel.sources]\n"code" = ""\n'),
        ("pyproject.toml", '[tool.pdm.build]\npackage-dir = "code"\n'),
        ("pyproject.toml", '[tool.uv.build-backend]\nmodule-root = "code"\n'),
        ("pyproject.toml", '[tool.maturin]\npython-source = "code"\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["code"]\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\r\npythonpath = "code"\r\n'),
        ("pyproject.toml", '[tool.pyright]\nextraPaths = ["./code"]\n'),
        ("pyproject.toml", '[[tool.pyright.executionEnvironments]]\nroot = "code"\n'),
        ("pyproject.toml", '[tool.mypy]\nmypy_path = "$MYPY_CONFIG_FILE_DIR/code:stubs"\n'),
        ("pyproject.toml", '[tool.pyrefly]\nsearch-path = ["code"]\n'),
        ("pyproject.toml", '[tool.ty.environment]\nroot = ["./code"]\n'),
        ("setup.cfg", "[options]\npackage_dir =\n    = code\n"),
        ("setup.cfg", "[options]\npackage_dir =\n    =code\n"),
        ("setup.cfg", "[options.packages.find]\nwhere = code\n"),
        ("setup.cfg", "[tool:pytest]\npythonpath = . code\n"),
        ("pytest.ini", "[pytest]\npythonpath = code\n"),
        ("tox.ini", "[pytest]\npythonpath =\n    code\n"),
        ("setup.py", "from setuptools import setup\nsetup(package_dir={'': 'code'})\n"),
        ("setup.py", "import setuptools\nsetuptools.setup(packages=setuptools.find_packages('code'))\n"),
        ("setup.py", "from setuptools import find_packages, setup\nsetup(packages=find_packages(where='code'))\n"),
        ("mypy.ini", "[mypy]\nmypy_path = $MYPY_CONFIG_FILE_DIR/code:$MYPY_CONFIG_FILE_DIR/stubs\n"),
        ("setup.cfg", "[mypy]\nmypy_path = ${MYPY_CONFIG_FILE_DIR}/code\n"),
        ("pyrightconfig.json", '{"extraPaths": ["code"]}'),
        ("pants.toml", '[source]\nroot_patterns = ["/code"]\n'),
        ("BUILD", 'py_library(name = "shop", imports = ["code"])\n'),
        (
            "BUILD.bazel",
            'load("@rules_python//:defs.bzl", "py_library")\npy_library(name = "shop", imports = ["code"])\n',
        ),
    ],
)
def test_the_layout_is_read_wherever_tools_are_told_of_it(tmp_path: Path, file: str, text: str) -> None:
    write(tmp_path, {f"sub/{file}": text, "sub/code/shop/__init__.py": "", "sub/tests/unit/test_a.py": ""})
    assert "shop" in _imported(tmp_path, "sub/tests/unit")


@pytest.mark.parametrize(
    "text",
    [
        '[tool.uv.workspace]\nmembers = ["libs/*"]\n',
        '[tool.uv.workspace]\nmembers = ["libs/core"]\n',
        '[tool.uv.sources]\ncore = {path = "libs/core", editable = true}\n',
        '[tool.rye.workspace]\nmembers = ["li*/co*"]\n',
        '[tool.poetry.dependencies]\ncore = {path = "./libs/core", develop = true}\n',
        '[tool.poetry.group.dev.dependencies]\ncore = {path = "libs/core"}\n',
        '[tool.hatch.envs.default]\nworkspace.members = ["libs/core"]\n',
    ],
)
@pytest.mark.parametrize("folder", ["", "app", "libs/other/src/other"])
def test_the_members_of_a_workspace_import_each_other(tmp_path: Path, text: str, folder: str) -> None:
    write(tmp_path, {"pyproject.toml": text, "app/a.py": "", "libs/other/pyproject.toml": ""})
    write(tmp_path, {"libs/core/src/core/__init__.py": "", "libs/other/src/other/__init__.py": ""})
    assert "core" in _imported(tmp_path, folder)


@pytest.mark.parametrize(
    "text", ['[tool.uv.workspace]\nmembers = ["../*"]\n', '[tool.mypy]\nmypy_path = "../outside"\n']
)
def test_no_root_leads_out_of_a_project(tmp_path: Path, text: str) -> None:
    """What is left out may hold the right module, so either all is free or it does not exist."""
    write(tmp_path, {"outside/private.py": "", "root/pyproject.toml": text})
    path = ModulePath(tmp_path / "root")
    assert not any("outside" in str(folder) for folder in path.roots)
    assert "private" not in (path.modules() or ())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[tool.pyright]\nextraPaths = ['{}']\n"),
        ("pyrightconfig.json", '{{"extraPaths": ["{}"]}}'),
        ("mypy.ini", "[mypy]\nmypy_path = {}\n"),
    ],
)
def test_a_whole_path_is_no_folder_of_the_project(tmp_path: Path, file: str, text: str) -> None:
    """It leads out of the project, so all is free; inside it, it is a root."""
    outside, root = tmp_path / "vendor", tmp_path / "root"
    write(outside, {"private.py": ""})
    write(root, {file: text.format(outside)})
    assert ModulePath(root).modules() is None
    write(root, {file: text.format(root / "code"), "code/shop.py": ""})
    assert "shop" in _imported(root)


def test_the_persons_pythonpath_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"elsewhere/mine.py": "", "root/a.py": ""})
    monkeypatch.setenv("PYTHONPATH", f":relative:{tmp_path / 'elsewhere'}")
    assert "mine" in _imported(tmp_path / "root")


def test_a_file_is_found_whichever_way_links_lead_to_it(tmp_path: Path) -> None:
    """An editor names a project by its link, a folder in it by its place, or the other way round."""
    real = write(tmp_path / "real", {"backend/app/a.py": "", "backend/common.py": ""})
    (tmp_path / "link").symlink_to(real)
    for root, folder in ((tmp_path / "link", real / "backend/app"), (real, tmp_path / "link/backend/app")):
        assert "common" in (ModulePath(root, folder).modules() or ())


def test_of_a_folder_outside_the_project_nothing_is_known(tmp_path: Path) -> None:
    write(tmp_path, {"root/a.py": "", "other/b.py": "", "other/common.py": ""})
    assert ModulePath(tmp_path / "root", tmp_path / "other").modules() is None


def test_analysers_are_told_of_no_two_roots_with_the_same_module(tmp_path: Path) -> None:
    """They would take the first for every file; parts of a namespace may lie in many."""
    for name in ("a", "b"):
        write(
            tmp_path,
            {f"{name}/pyproject.toml": "", f"{name}/src/app/__init__.py": "", f"{name}/lib/{name}_only.py": ""},
        )
        write(tmp_path, {f"{name}/python/acme/{name}.py": ""})
    roots = {folder.relative_to(tmp_path).as_posix() for folder in python_project(tmp_path).roots}
    assert {"a/lib", "b/lib", "a/python", "b/python"} <= roots
    assert not {"a/src", "b/src"} & roots


def test_tests_of_many_projects_hide_none_of_them_from_analysers(tmp_path: Path) -> None:
    """Each has some of the same name, which no other project imports."""
    for name in ("a", "b"):
        write(tmp_path, {f"{name}/pyproject.toml": "", f"{name}/{name}/__init__.py": ""})
        write(tmp_path, {f"{name}/{folder}/__init__.py": "" for folder in ("tests", "docs", "examples")})
    assert {tmp_path / "a", tmp_path / "b"} <= set(python_project(tmp_path).roots)


def test_analysers_are_told_of_the_packages_of_projects_inside_a_project(tmp_path: Path) -> None:
    site = environment(tmp_path / "backend" / ".venv", "installed", version="3.12.1")
    project = python_project(tmp_path)
    assert site in project.packages
    assert project.version == (3, 12)


@pytest.mark.parametrize(
    "text",
    [
        f"[tool.pyright]\nextraPaths = {[f'f{number}' for number in range(300)]}\n",
        f"[tool.uv.workspace]\nmembers = {[f'{number}*' for number in range(30)]}\n",
        "[tool.uv.workspace]\nmembers = ['libs/*']\n",
    ],
)
def test_where_a_project_names_too_many_roots_all_is_free(tmp_path: Path, text: str) -> None:
    """One that is not looked at may hold the right module."""
    for number in range(300):
        (tmp_path / "libs" / f"lib{number}").mkdir(parents=True)
    write(tmp_path, {"pyproject.toml": text})
    assert ModulePath(tmp_path).modules() is None


def test_wildcards_take_no_time_to_speak_of(tmp_path: Path) -> None:
    """Whatever names the folders have, and however many stars a pattern."""
    (tmp_path / ("a" * 200)).mkdir()
    members = ["a*" * 60 + "b", "*/" * 5000, "/".join(["*"] * 3)]
    write(tmp_path, {"pyproject.toml": f"[tool.uv.workspace]\nmembers = {members}\n"})
    began = time.process_time()
    assert ModulePath(tmp_path).modules() is not None
    assert time.process_time() - began < 2


def test_pyrefly_is_told_of_folders_with_any_name(tmp_path: Path) -> None:
    """TOML has no halves of characters, as JSON has for those above U+FFFF."""
    root = write(tmp_path / 'é 𝒳 \U0001f40d "q"', {"src/shop/__init__.py": ""})
    said = tomllib.loads(pyrefly_configuration(python_project(root), trusted=False))
    assert said["project-includes"] == [str(root)]
    assert str(root / "src") in said["search-path"]
