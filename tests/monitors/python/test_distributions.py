"""Distributions whose modules have other names."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zipfile import ZipFile

import pytest

from guiderail.monitors.python.modules import ModulePath
from guiderail.monitors.python.requirements import DISTRIBUTIONS, guesses, inline_requirements, is_known
from tests.monitors.python.layouts import environment, write

PAIRS = [
    ("opencv-python", "cv2"), ("opencv-python-headless", "cv2"), ("scikit-learn", "sklearn"), ("beautifulsoup4", "bs4"),
    ("Pillow", "PIL"), ("PyYAML", "yaml"), ("python-dateutil", "dateutil"), ("google-cloud-storage", "google"),
    ("djangorestframework", "rest_framework"), ("PyJWT", "jwt"), ("pycryptodome", "Crypto"), ("zope.interface", "zope"),
    ("ruamel.yaml", "ruamel"), ("python_dotenv", "dotenv"), ("Msgpack-Python", "msgpack"), ("flask-cors", "flask_cors"),
    ("attrs", "attr"), ("psycopg2-binary", "psycopg2"), ("protobuf", "google"), ("types-requests", "types_requests"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "module"), PAIRS)
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[project]\ndependencies = [\"{}[extra] >= 1; python_version > '3'\"]\n"),
        ("requirements/base.txt", "{}==1.0  # pinned\r\n"),
        ("requirements-dev.in", "{}\n"),
        ("Pipfile", '[packages]\n"{}" = "*"\n'),
        ("setup.py", "from setuptools import setup\nsetup(install_requires=['{}>=1'])\n"),
        ("environment.yml", "dependencies:\n  - python=3.12\n  - conda-forge::{}=1\n"),
        ("uv.lock", '[[package]]\nname = "{}"\nversion = "1"\n'),
    ],
)
def test_what_is_declared_may_be_imported_by_its_own_name(
    tmp_path: Path, name: str, module: str, file: str, text: str
) -> None:
    """Wherever it is declared, and however the distribution's name is spelled."""
    write(tmp_path, {f"sub/{file}": text.format(name), "sub/app/a.py": ""})
    assert module in (ModulePath(tmp_path, tmp_path / "sub" / "app").modules() or ())


def test_modules_below_a_namespace_are_known(tmp_path: Path) -> None:
    """Another distribution of the same namespace may be installed."""
    site = environment(tmp_path / ".venv", "other")
    write(site, {"google/protobuf/__init__.py": "", "protobuf-1.0.dist-info/METADATA": ""})
    write(tmp_path, {"pyproject.toml": '[project]\ndependencies = ["google-cloud-storage", "protobuf"]\n'})
    assert {"protobuf", "cloud"} <= (ModulePath(tmp_path).modules("google") or frozenset())


@pytest.mark.parametrize(("name", "doubt"), [("acme-internal", "not installed"), ("opencv-python", None)])
def test_a_requirement_that_is_missing_and_not_known_may_bring_anything(
    tmp_path: Path, name: str, doubt: str | None
) -> None:
    environment(tmp_path / ".venv", "other")
    write(tmp_path, {"pyproject.toml": f'[project]\ndependencies = ["{name}", "other"]\n'})
    assert ModulePath(tmp_path).doubt() == doubt
    environment(tmp_path / ".venv", name.replace("-", "_"))
    assert ModulePath(tmp_path).doubt() is None


@pytest.mark.parametrize(
    "text",
    [
        '[project]\noptional-dependencies = {test = ["acme-internal"]}\n',
        '[dependency-groups]\ntest = ["acme-internal"]\n',
        "[project]\ndependencies = [\"acme-internal; sys_platform == 'win32'\"]\n",
        '[tool.poetry.dependencies]\nacme-internal = {version = "1", optional = true}\n',
    ],
)
def test_what_is_needed_only_sometimes_need_not_be_installed(tmp_path: Path, text: str) -> None:
    environment(tmp_path / ".venv", "other")
    write(tmp_path, {"pyproject.toml": text})
    path = ModulePath(tmp_path)
    assert path.doubt() is None
    assert "acme_internal" in (path.modules() or ())


def test_an_environment_that_was_only_made_says_nothing(tmp_path: Path) -> None:
    """It holds pip and its like before anything is installed."""
    environment(tmp_path / ".venv", "pip", "setuptools", "wheel")
    write(tmp_path, {"pyproject.toml": '[project]\ndependencies = ["opencv-python"]\n'})
    assert ModulePath(tmp_path).doubt() == "no environment"
    environment(tmp_path / ".venv", "other")
    assert ModulePath(tmp_path).doubt() is None


@pytest.mark.parametrize("line", ["-r deps/base.txt", "-rdeps/base.txt", "--requirement=deps/base.txt  # a comment"])
def test_a_list_includes_others(tmp_path: Path, line: str) -> None:
    """Those of a list that must be installed must be too; a circle ends."""
    environment(tmp_path / ".venv", "other")
    base = "-r ../requirements.txt\n-r more.in\n-c ../limits.txt\n"
    write(tmp_path, {"requirements.txt": f"{line}\nother\n", "deps/base.txt": base, "deps/more.in": "acme-internal\n"})
    write(tmp_path, {"limits.txt": "acme-limited==1\n"})
    assert ModulePath(tmp_path).doubt() == "not installed"
    assert {"acme_internal", "acme_limited"} <= (ModulePath(tmp_path).modules() or frozenset())
    environment(tmp_path / ".venv", "acme_internal")
    assert ModulePath(tmp_path).doubt() is None


def test_a_script_may_declare_its_own_requirements() -> None:
    text = '#!/usr/bin/env python\n# /// script\n# dependencies = ["opencv-python>=4", "rich"]\n# ///\nimport cv2\n'
    assert {one.name for one in inline_requirements(text)} == {"opencv-python", "rich"}
    assert not list(inline_requirements("# dependencies = ['rich']\n"))


def test_the_table_is_normalised_and_says_only_what_cannot_be_guessed() -> None:
    """And is small enough to be read at the first question."""
    table = json.loads(DISTRIBUTIONS.read_text(encoding="utf-8"))
    assert DISTRIBUTIONS.stat().st_size < 100_000
    assert list(table) == sorted(table)
    for name, modules in table.items():
        assert name == name.lower().replace("_", "-").replace(".", "-")
        assert all(part.isidentifier() for module in modules for part in module.split("."))
        assert is_known(name)
        assert not guesses(name) & set(modules), name


def test_the_table_is_made_from_the_metadata_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces are followed to the first package in them; what was known stays."""
    spec = spec_from_file_location("distributions", Path(__file__).parents[3] / "datasets" / "distributions.py")
    assert spec is not None and spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    table = tmp_path / "table.json"
    table.write_text('{"kept": ["other"]}')
    monkeypatch.setattr(script, "DISTRIBUTIONS", table)
    with ZipFile(tmp_path / "Acme_Tools-1.0-py3-none-any.whl", "w") as wheel:
        for name in ("acme/tools/__init__.py", "acme/tools/part.py", "quick.abi3.so", "tests/test_a.py"):
            wheel.writestr(name, "")
        wheel.writestr("Acme_Tools-1.0.dist-info/METADATA", "Name: Acme-Tools\nVersion: 1.0\n")
    script.main([tmp_path], None)
    assert json.loads(table.read_text()) == {"acme-tools": ["quick"], "kept": ["other"]}
