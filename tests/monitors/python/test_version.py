"""The version of Python that a project's files are written for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guiderail.monitors.python.interpreter import Interpreter
from guiderail.monitors.python.version import NEWEST, OLDEST, version_of
from tests.monitors.python.layouts import environment, write

OWN = sys.version_info[:2]
GUESS = Interpreter(Path(sys.prefix), "guiderail's own Python", is_guess=True)
LATER = (OWN[0], OWN[1] + 1)
EARLIER = (OWN[0], OWN[1] - 1)


def _text(version: tuple[int, int]) -> str:
    return "{}.{}".format(*version)


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        (f">={_text(LATER)}", LATER),
        (f">= {_text(LATER)}.2, <4", LATER),
        (f"~={_text(LATER)}.0", LATER),
        (f"^{_text(LATER)}", LATER),
        (f"=={_text(LATER)}.*", LATER),
        (f">{_text(OWN)}", LATER),
        (f">={_text(EARLIER)}", OWN),
        (">=3", OWN),
        (">=2.7", OWN),
        (f"<{_text(OWN)}", EARLIER),
        (f"<={_text(EARLIER)}", EARLIER),
        (f"!={_text(OWN)}", OWN),
        (">=3.99", NEWEST),
        ("<3.1", OLDEST),
        ("nonsense", OWN),
        ("", OWN),
    ],
)
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project]\nrequires-python = "{}"\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "{}"\n'),
        ("setup.cfg", "[options]\npython_requires = {}\n"),
        ("setup.py", "setup(python_requires='{}')\n"),
    ],
)
def test_without_an_interpreter_it_is_what_the_project_requires(
    tmp_path: Path, file: str, text: str, specifier: str, expected: tuple[int, int]
) -> None:
    """And within that the nearest to guiderail's own."""
    write(tmp_path, {file: text.format(specifier)})
    assert version_of(GUESS, tmp_path, tmp_path) == expected


def test_the_nearest_project_says_it(tmp_path: Path) -> None:
    text = '[project]\nrequires-python = ">={}"\n'
    write(tmp_path, {"pyproject.toml": text.format("3.9"), "sub/pyproject.toml": text.format(_text(LATER))})
    assert version_of(GUESS, tmp_path, tmp_path / "sub") == LATER
    assert version_of(GUESS, tmp_path, tmp_path) == OWN


def test_a_pinned_version_counts(tmp_path: Path) -> None:
    write(tmp_path, {".python-version": f"{_text(LATER)}.1\n"})
    assert version_of(GUESS, tmp_path, tmp_path) == LATER


@pytest.mark.parametrize(
    ("installed", "required", "expected"), [("3.12.1", "3.9", (3, 12)), ("3.9.1", "3.12", (3, 12))]
)
def test_an_interpreters_own_version_counts_unless_the_project_excludes_it(
    tmp_path: Path, installed: str, required: str, expected: tuple[int, int]
) -> None:
    """An active environment may be another project's."""
    environment(tmp_path / "env", version=installed)
    write(tmp_path, {"pyproject.toml": f'[project]\nrequires-python = ">={required}"\n'})
    assert version_of(Interpreter(tmp_path / "env", "here"), tmp_path, tmp_path) == expected


@pytest.mark.parametrize("name", ["graalpy-24.1.1", "miniforge3-24.3.0-0", "pypy-7.3.1", "2.7.18"])
def test_another_programs_version_is_none_of_python(tmp_path: Path, name: str) -> None:
    write(tmp_path, {".python-version": f"{name}\n"})
    assert version_of(GUESS, tmp_path, tmp_path) == OWN
    write(tmp_path, {".python-version": f"{name}\npypy{_text(LATER)}-7.3.11\n"})
    assert version_of(GUESS, tmp_path, tmp_path) == LATER


@pytest.mark.parametrize("file", ["pyproject.toml", "setup.cfg", "Pipfile"])
def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path, file: str) -> None:
    text = f">={_text(LATER)}"
    write(tmp_path, {"pyproject.toml": f'[project]\nrequires-python = "{text}"\n'})
    write(tmp_path, {"setup.py": f"setup(python_requires='{text}')\n", file: "[half"})
    assert version_of(GUESS, tmp_path, tmp_path) == LATER
