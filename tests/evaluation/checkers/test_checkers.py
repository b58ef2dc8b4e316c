"""Compilers and analysers as judges: the author's text brings no errors, a name that does not exist does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from guiderail.evaluation.checkers.checker import CannotCheck
from guiderail.evaluation.checkers.java import Javac
from guiderail.evaluation.checkers.judge import Judge, judge_for
from guiderail.evaluation.task import Task

PYTHON = ("python", "p/a.py", "from p.b import B\n\n\ndef f(b: B) -> int:\n    return b.", "size()")
JAVA = ("java", "src/q/A.java", "package q;\nclass A {\n  int f(B b) {\n    return b.", "size();")
TYPESCRIPT = (
    "typescript",
    "src/a.ts",
    "import { B } from './b';\nexport function f(b: B): number {\n  return b.",
    "size();",
)
OTHERS = {
    "p/__init__.py": "",
    "p/b.py": "class B:\n    def size(self) -> int:\n        return 1\n",
    "src/q/B.java": "package q;\nclass B {\n  int size() { return 1; }\n  Missing missing;\n}\n",
    "src/b.ts": "export class B {\n  size(): number {\n    return 1;\n  }\n}\n",
}
SUFFIX = {"python": "\n", "java": "\n  }\n}\n", "typescript": "\n}\n"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in three languages."""
    folder = tmp_path_factory.mktemp("project")
    for path, text in OTHERS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for language, path, prefix, truth in (PYTHON, JAVA, TYPESCRIPT):
        (folder / path).write_text(prefix + truth + SUFFIX[language])
    return folder


def task(case: tuple[str, str, str, str], root: Path | None) -> Task:
    language, path, prefix, truth = case
    about: Any = {"id": path, "kind": "dereference", "package": "p"}
    return Task(**about, path=path, language=language, prefix=prefix, suffix=SUFFIX[language], truth=truth, root=root)


@pytest.fixture(scope="module")
def judge():
    """The judge that runs use."""
    made = judge_for()
    yield made
    made.stop()


@pytest.mark.e2e
@pytest.mark.parametrize("case", [PYTHON, JAVA, TYPESCRIPT], ids=lambda case: case[0])
def test_only_what_the_author_did_not_write_is_an_error(
    judge: Judge, root: Path, case: tuple[str, str, str, str]
) -> None:
    """The truth and a text that is as good bring no errors; an unknown name and broken syntax do."""
    if case[0] == "java" and shutil.which("javac") is None:
        pytest.skip("no javac: apt-get install default-jdk-headless")
    if case[0] == "typescript" and shutil.which("npm") is None:
        pytest.skip("no npm, which fetches the compiler")
    asked, end = task(case, root), "" if case[0] == "python" else ";"
    before = sorted(path for path in root.rglob("*") if path.is_file())
    assert judge.new_errors(asked, asked.truth) == []
    assert judge.new_errors(asked, f"size() + 1{end}") == []
    assert judge.new_errors(asked, f"no_such_name(){end}") != []
    assert judge.new_errors(asked, f"size( +{end}") != []
    assert sorted(path for path in root.rglob("*") if path.is_file()) == before


def test_what_cannot_be_checked_says_why(root: Path) -> None:
    """No project, no checker for the language."""
    with pytest.raises(CannotCheck, match="no project"):
        Judge({"java": Javac}).new_errors(task(JAVA, None), "x")
    with pytest.raises(CannotCheck, match="no checker"):
        Judge({}).new_errors(task(JAVA, root), "x")
