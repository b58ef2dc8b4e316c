"""The working directory is a workspace's more often than not: no Python that guiderail starts imports from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import guiderail

PACKAGE = Path(guiderail.__file__).parent
# Its command is run in the sandbox, in the copy of a project that is tried there.
SANDBOXED = {"decoding/sandbox/project_tests.py"}
APART = {"-P", "-I"}  # without the working directory, or without anything of the person's either


def _commands(source: str) -> Iterator[list[str]]:
    """The constant words that follow `sys.executable` in lists and calls; "" for a word that is not constant."""
    for node in ast.walk(ast.parse(source)):
        words = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.List | ast.Tuple) else []
        for place, word in enumerate(words):
            if ast.unparse(word) == "sys.executable" and place + 1 < len(words):
                yield [str(one.value) if isinstance(one, ast.Constant) else "" for one in words[place + 1 :]]


@pytest.mark.parametrize(
    "source", ["run([sys.executable, '-c', code])", "run(sys.executable, '-m', 'pip')", "x = [sys.executable, '-m']"]
)
def test_commands_are_found(source: str) -> None:
    """The next test would not fail otherwise."""
    assert [words for words in _commands(source) if words[0] not in APART]


def test_no_python_is_started_that_imports_from_the_working_directory() -> None:
    """By `-c` and `-m` a json.py of the folder that one is in would stand in for the library's."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), *words)
        for path in PACKAGE.rglob("*.py")
        for words in _commands(path.read_text(encoding="utf-8"))
    }
    assert len(found) >= 8
    assert not {place for place, first, *_ in found if first.startswith("-") and first not in APART} - SANDBOXED
