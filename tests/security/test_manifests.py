"""Values of wrong types in what describes a Python project: they say nothing, and break nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.project import python_project
from tests.monitors.python.layouts import environment, write

KEYS = (
    "project.dependencies", "project.optional-dependencies.a", "project.requires-python", "dependency-groups.a",
    "build-system.requires", "tool.setuptools.package-dir", "tool.setuptools.packages.find.where",
    "tool.pdm.build.package-dir", "tool.pdm.dev-dependencies.a", "tool.pdm.workspace.members",
    "tool.uv.build-backend.module-root", "tool.uv.dev-dependencies", "tool.uv.workspace.members",
    "tool.uv.sources.a.path", "tool.rye.workspace.members", "tool.maturin.python-source", "tool.hatch.build.sources",
    "tool.hatch.build.dev-mode-dirs", "tool.hatch.build.targets.wheel.sources",
    "tool.hatch.build.targets.wheel.packages", "tool.hatch.envs.a.dependencies", "tool.hatch.envs.a.workspace.members",
    "tool.pytest.ini_options.pythonpath", "tool.pytest.pythonpath", "tool.pyright.extraPaths",
    "tool.pyright.executionEnvironments", "tool.pyrefly.search-path", "tool.mypy.mypy_path",
    "tool.ty.environment.extra-paths", "tool.ty.src.root", "tool.ruff.src", "tool.poetry.packages",
    "tool.poetry.dependencies.a.path", "tool.poetry.dependencies.python", "tool.poetry.dev-dependencies",
    "tool.poetry.group.a.dependencies.b", "tool.pixi.dependencies", "tool.pixi.pypi-dependencies",
    "packages.a", "dev-packages.a", "requires.python_version", "requires.python_full_version",
    "source.root_patterns", "extraPaths", "executionEnvironments",
)  # fmt: skip
FILES = ("pyproject.toml", "Pipfile", "pants.toml")
VALUES = (
    "1", "-0.5", "nan", "true", "1979-05-27T07:32:00Z", "''", "'a'", "'\\u0000'", "'/'", "[]", "[1]", "[[1], [['a']]]",
    "[{}]", "[{include = 1, from = 1, root = 1, extraPaths = 1}]", "[{from = [1], root = {}, extraPaths = [[]]}]",
    "{}", "{a = 1}", "{a = [1]}", "{a = {path = 1, members = 1, b = {c = []}}}", "{'' = 1}",
)  # fmt: skip


def _assert_answered(root: Path) -> None:
    environment(root / ".venv", "other")
    assert python_project(root).root == root
    modules = ModulePath(root).modules()
    assert modules is None or {"os", "shop", "other"} <= modules


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("value", VALUES)
def test_any_value_may_stand_at_any_key(tmp_path: Path, value: str, depth: int) -> None:
    """Also where a table is expected: each key is cut at some depth."""
    paths = [key.split(".") for key in KEYS]
    keys = dict.fromkeys(".".join(path[:depth]) for path in paths if len(path) >= depth or depth == 9)
    text = "".join(f"{key} = {value}\n" for key in keys).replace("'", '"')
    _assert_answered(write(tmp_path, {**dict.fromkeys(FILES, text), "shop/__init__.py": ""}))


@pytest.mark.parametrize("value", [1, 0.5, True, None, "a", "\0", "\ud800", [], [1], [[1]], [None], [{}], {}, {"a": 1}])
@pytest.mark.parametrize("key", ["extraPaths", "executionEnvironments", "root", "inner"])
def test_any_value_may_stand_in_pyrights_configuration(tmp_path: Path, key: str, value: object) -> None:
    said = {"executionEnvironments": [{"root": value, "extraPaths": value}]} if key == "inner" else {key: value}
    root = write(tmp_path, {"pyrightconfig.json": json.dumps(said), "shop/__init__.py": ""})
    _assert_answered(root)
