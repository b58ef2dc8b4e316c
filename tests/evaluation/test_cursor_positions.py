"""Cursors in syntax trees."""

from __future__ import annotations

import pytest

from guiderail.evaluation.cursor_positions import KINDS, CursorPositions
from guiderail.evaluation.packages import SourceFile
from guiderail.text.languages.table import NODES

PYTHON = '''import os
TOP = os.sep
class Thing:
    größe = 1
    def grow(self, step):
        """Doc.string here."""
        self.größe += step.amount  # a.comment
        if step:
            other = compute(step, 2)
            self.shrink("a.b")
        return self.größe
    def shrink(self, by): pass
'''
TYPESCRIPT = """const top = Math.max(1, 2);
export class Thing {
  size = 1;
  grow(step: Step): number {
    // a.comment
    if (step) {
      this.size += step.amount;
      this.shrink("a.b");
    }
    return compute(this.size);
  }
}
"""
JAVA = """class Thing {
  int size = Math.max(1, 2);
  int grow(Step step) {
    // a.comment
    if (step != null) {
      this.size += step.amount;
      step.shrink("a.b");
    }
    return compute(this.size);
  }
}
"""


def found(text: str, language: str, kind: str, others: dict[str, str] | None = None) -> list[str]:
    """What stands at the places of a kind."""
    files = [SourceFile("p", "own", text), *(SourceFile("p", name, t) for name, t in (others or {}).items())]
    places = CursorPositions(files, language).find("own", kind)  # pyright: ignore[reportArgumentType]
    return [text[place.start : place.end] for place in places]


def test_dereferences_are_names_behind_dots_of_code_in_functions() -> None:
    """Not those at the module's level, in strings, docstrings or comments; the truth goes to the line's end."""
    assert found(PYTHON, "python", "dereference") == [
        "größe += step.amount  # a.comment",
        "amount  # a.comment",
        'shrink("a.b")',
        "größe",
    ]
    assert found(TYPESCRIPT, "typescript", "dereference") == [
        "size += step.amount;",
        "amount;",
        'shrink("a.b");',
        "size);",
    ]
    assert found(JAVA, "java", "dereference") == ["size += step.amount;", "amount;", 'shrink("a.b");', "size);"]


def test_lines_are_statements_in_functions() -> None:
    """Each where its content begins; docstrings and comments are none."""
    assert found(PYTHON, "python", "line")[0].startswith("self.größe += step")
    assert found(PYTHON, "python", "line")[1] == "if step:"
    assert "return compute(this.size);" in found(TYPESCRIPT, "typescript", "line")
    assert not [line for line in found(JAVA, "java", "line") if line.startswith("//")]


def test_blocks_are_the_statements_inside_of_one() -> None:
    """From the first to the last statement, without brackets, of blocks that no function's body is."""
    assert found(PYTHON, "python", "block") == ['other = compute(step, 2)\n            self.shrink("a.b")']
    assert found(TYPESCRIPT, "typescript", "block") == ['this.size += step.amount;\n      this.shrink("a.b");']
    assert found(JAVA, "java", "block") == ['this.size += step.amount;\n      step.shrink("a.b");']


def test_calls_are_asked_for_behind_their_bracket() -> None:
    """Calls without arguments are not asked for."""
    assert found(PYTHON, "python", "api_call") == ["step, 2)", '"a.b")']
    assert found(TYPESCRIPT, "typescript", "api_call") == ['"a.b");', "this.size);"]
    assert found(JAVA, "java", "api_call") == ['"a.b");', "this.size);"]


@pytest.mark.parametrize(
    ("language", "text", "other"),
    [
        ("python", PYTHON, "class Step:\n    def __init__(self):\n        self.amount = 1\n"),
        ("typescript", TYPESCRIPT, "export class Step {\n  amount = 1;\n}\n"),
        ("java", JAVA, "class Step {\n  int amount;\n}\n"),
    ],
)
def test_a_name_of_another_file_is_defined_there_and_not_here(language: str, text: str, other: str) -> None:
    """Names that both files define, or none, are not cross-file."""
    assert found(text, language, "cross_file") == []
    [truth] = found(text, language, "cross_file", {"other": other})
    assert truth.startswith("amount")
    assert found(text + other, language, "cross_file", {"other": other}) == []


@pytest.mark.parametrize("language", NODES)
def test_files_without_functions_have_no_places(language: str) -> None:
    """No kind of cursor stands outside functions."""
    for kind in KINDS:
        assert found("", language, kind) == []
