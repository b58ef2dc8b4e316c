"""Bodies of functions and their lines."""

from __future__ import annotations

import pytest

from guiderail.evaluation.function_bodies import body_lines, function_bodies
from guiderail.text.languages.table import NODES

PYTHON = '''\
import os


class Shape:
    """A shape."""

    sides = 4

    @cached
    def area(self,
             größe):
        """Area.

        Of the shape.
        """
        # a comment
        total = größe * self.sides  # kept

        if total > (
            3
        ):
            note = """one
            two"""
            said = ("three"
                    "four")
        def inner(): return 1
        return total


async def other():
    class Local:
        """Text."""
    await call(1, 2)


def short(): return 1
'''
TYPESCRIPT = """\
const top = Math.max(1, 2);
export class Thing {
  size = 1;
  grow(
    step: Step,
  ): number {
    // a comment
    if (step) {
      this.size += step.amount; // kept
    }
    return `one
      two`;
  }
}
"""
JAVA = """\
class Thing {
  int size = Math.max(1, 2);
  /** Grows. */
  int grow(
      Step größe) {
    /* two
       lines */
    while (größe != null) {
      this.size += größe.amount; // kept
    }
    return size;
  }
}
"""
LINES = {
    "python": [
        "total = größe * self.sides  # kept",
        "if total > (",
        'note = """one',
        'said = ("three"',
        "def inner(): return 1",
        "return total",
        "class Local:",
        "await call(1, 2)",
    ],
    "typescript": ["if (step) {", "this.size += step.amount; // kept", "return `one"],
    "java": ["while (größe != null) {", "this.size += größe.amount; // kept", "return size;"],
}
TEXTS = {"python": PYTHON, "typescript": TYPESCRIPT, "java": JAVA}


@pytest.mark.parametrize("language", TEXTS)
def test_only_code_inside_functions_is_asked_for(language: str) -> None:
    """No signature, docstring, comment or lone bracket, and of a string of several lines only the first."""
    text = TEXTS[language]
    assert [text[start:end] for start, end in body_lines(text, language)] == LINES[language]


@pytest.mark.parametrize("language", TEXTS)
def test_bodies_are_whole_lines_without_signature_and_docstring(language: str) -> None:
    """Each begins and ends with a line, and holds the lines of its function that are worth asking for."""
    text = TEXTS[language]
    bodies = [text[start:end] for start, end in function_bodies(text, language)]
    assert bodies and all(body.endswith("\n") for body in bodies)
    first = bodies[0].strip().splitlines()
    assert first[0].lstrip() in {LINES[language][0], "# a comment"}
    assert first[-1].lstrip() in {"return total", "two`;", "return size;"}


def test_one_line_functions_have_no_body_of_their_own() -> None:
    assert function_bodies("def short(): return 1\n", "python") == []


@pytest.mark.parametrize("language", NODES)
def test_text_without_functions_has_neither(language: str) -> None:
    assert body_lines("x = 1;\n", language) == function_bodies("x = 1;\n", language) == []
