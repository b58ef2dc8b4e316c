"""What a search is told of its texts, and which of them are one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guiderail.engine.plan import CompletionPlan
from guiderail.engine.surroundings import Surroundings
from guiderail.engine.verifier import Verifier, normal_form
from guiderail.monitors.verdict import LATE, Verdict
from guiderail.text.document import Document

SAME = [
    ("x = 1", "x=1"),
    ("f( a,b )", "f(a, b)"),
    ("return  y", "return y"),
    ("a = [1,2]  \n\n\nb", "a = [1, 2]\nb"),
    ("x =", "x = "),
    ("f(x)  # why", "f(x) # why"),
    ("d = {'a' : 1}", "d={'a': 1}"),
]
DIFFERENT = [
    ("x = 'a b'", "x = 'a  b'"),
    ("x = 'a b", "x = 'a  b"),
    ("x  # a b", "x  # a  b"),
    ("if x:\n    y", "if x:\n  y"),
    ("    y", "y"),
    ("return x", "returnx"),
    ("retur", "retur "),
    ("a - -b", "a --b"),
    ("a < -b", "a <-b"),
    ("1 .real", "1.real"),
    ('"""a\n\n b"""', '"""a\n b"""'),
    ("x = 'a'", "x = 'b'"),
    ("'a' + b", "b + 'a'"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_formatting_makes_no_difference(one: str, other: str) -> None:
    assert normal_form(one, "python") == normal_form(other, "python")


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_meaning_does(one: str, other: str) -> None:
    """What blanks decide: strings, comments, indentation, words, operators, numbers."""
    assert normal_form(one, "python") != normal_form(other, "python")


def verifier(text: str, language: str = "python") -> Verifier:
    at = text.index("|")
    plan = CompletionPlan(document=Document(text.replace("|", ""), language=language), offset=at, fit=True)
    return Verifier(plan, Surroundings(plan))


def test_the_line_before_the_cursor_counts() -> None:
    """Blanks after an operator are formatting, in a string they are not."""
    assert verifier("x =|\n").normal_form(" 1") == verifier("x =|\n").normal_form("1")
    assert verifier("return|\n").normal_form(" x") != verifier("return|\n").normal_form("x")
    for before in ("x = 'a|\n", '"""\n|', "x = 1  # a|\n"):
        assert verifier(before).normal_form(" b") != verifier(before).normal_form("  b")
    assert verifier("a|", "yaml").normal_form(":  b") != verifier("a|", "yaml").normal_form(": b")


def test_faults_are_those_of_the_suggestions_that_texts_would_be() -> None:
    """Syntax and place are judged of whole texts; of unfinished ones what nothing after them can mend."""
    judge = verifier("def f(a):\n    return |\n\nx = 1\n")
    assert judge.faults([("a + 1", "line"), ("a +", "line"), ("a)", "line")]) == [0.0, 1.0, 1.0]
    assert judge.faults([("a +", "length"), ("a) +", "length")]) == [0.0, 1.0]
    assert verifier("print(|)\n").faults([("1)", "line")]) == [0.0]  # what stands there already is fitted in


class Counting:
    """Verdicts of an analyser, one for each question."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts, self.asked = list(verdicts), 0

    def inspect(self, _document: object, changes: Sequence[object], _root: object, _cancelled: object) -> list[Verdict]:
        self.asked += len(changes)
        return [self.verdicts.pop(0) for _ in changes]


def test_an_analyser_that_was_late_is_not_waited_for_again() -> None:
    """A search has dozens of texts to ask about; syntax is still judged."""
    judge = verifier("def f(a):\n    return |\n\nx = 1\n")
    judge._inspector = late = Counting(Verdict("errors", ("e",)), Verdict("unknown", reason=LATE))  # type: ignore
    assert [judge.faults([(text, "line")]) for text in ("a.b", "a.c", "a.d", "a +")] == [[1.0], [0.0], [0.0], [1.0]]
    assert late.asked == 2
