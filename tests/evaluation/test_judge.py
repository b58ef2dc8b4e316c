"""What is measured of one answer."""

import pytest

from guiderail.evaluation.judge import is_valid, judge, repetition
from guiderail.evaluation.task import Task


def task(truth: str, language: str = "python", suffix: str = "\n") -> Task:
    return Task(
        id="t", kind="line", package="p", path="a", language=language, prefix="x = a.", suffix=suffix, truth=truth
    )


def test_the_truth_is_perfect() -> None:
    """Every measure of the truth is 1."""
    assert set(judge(task("b.c(d)"), "b.c(d)").values()) == {1.0}


def test_measures_against_a_case_worked_out_by_hand() -> None:
    """b.c(d) against b.x(d): one of three identifiers, two of six tokens, five of six characters."""
    found = judge(task("b.c(d)"), "b.x(d)")
    assert found["nim"] == 1 and found["exact"] == 0 and found["parses"] == 1
    assert found["ism"] == pytest.approx(1 / 3)
    assert found["pm"] == pytest.approx(2 / 6)
    assert found["similarity"] == pytest.approx(5 / 6)


def test_blanks_between_tokens_do_not_count_for_a_match() -> None:
    """Exact match is equality after splitting at white space, as RepoBench defines it."""
    assert judge(task("b (c,  d)"), "b (c, d)")["exact"] == 1


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("python", "x = 1\n", "x = \n"),
        ("typescript", "const x: number = 1;", "const x: = 1;"),
        ("java", "class A { int x; }", "class A { int ; }"),
    ],
)
def test_validity_is_by_the_languages_grammar(language: str, good: str, bad: str) -> None:
    """Each language has its own parser; a language without one is not judged."""
    assert is_valid(good, language) and not is_valid(bad, language)
    assert is_valid("anything", "cobol")


def test_repetition_is_measured_where_statements_are_known() -> None:
    """The same line over and over repeats; a line does not; other languages are not measured."""
    once, often = (repetition(task("x"), "b.c(d)\n" * times)["tr_s"] for times in (1, 9))
    assert once == 0 and often is not None and often > 0.5
    assert repetition(task("x", "java"), "b();") == {"tr_n": None, "tr_s": None}
