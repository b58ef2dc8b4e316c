"""The measures of one answer, against hand-computed cases."""

from functools import cache
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.evaluation.scoring import (
    edit_similarity,
    exact_match,
    first_line,
    identifier_sequence_match,
    is_valid,
    lexemes,
    line_rules,
    next_identifier_match,
    prefix_match,
    repeated,
    repetition,
    score,
    score_at,
)
from guiderail.evaluation.task import Task

words = st.text("abc ", max_size=7)


def task(truth: str, language: str = "python", suffix: str = "\n") -> Task:
    return Task(
        id="t", kind="line", package="p", path="a", language=language, prefix="x = a.", suffix=suffix, truth=truth
    )


def test_the_truth_is_perfect() -> None:
    """Every measure of the truth is 1."""
    assert set(score(task("b.c(d)"), "b.c(d)").values()) == {1.0}


def test_measures_against_a_case_worked_out_by_hand() -> None:
    """b.c(d) against b.x(d): one of three identifiers, two of six tokens, five of six characters."""
    found = score(task("b.c(d)"), "b.x(d)")
    assert found["nim"] == 1 and found["exact"] == 0 and found["parses"] == 1
    assert found["ism"] == pytest.approx(1 / 3)
    assert found["pm"] == pytest.approx(2 / 6)
    assert found["similarity"] == pytest.approx(5 / 6)


def test_blanks_between_tokens_do_not_count_for_a_match() -> None:
    """Exact match is equality after splitting at white space, as RepoBench defines it."""
    assert score(task("b (c,  d)"), "b (c, d)")["exact"] == 1


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


def test_blanks_are_no_difference_and_every_other_character_is() -> None:
    """Equality after splitting at white space: neither blanks nor line ends count, names and order do."""
    assert exact_match("x = 1 \n", "x = 1") and exact_match("  x  =\t1", "x = 1") and exact_match("", "\n")
    assert exact_match("a  \n\n  b\n", "a\n  b")
    assert not exact_match("for x in y:\n    a\n    b", "for x in y:\n    a\nb")  # in the loop, and after it
    assert not exact_match("x = 10", "x = 1") and not exact_match("x=1", "x = 1") and not exact_match("b a", "a b")


def test_a_line_task_is_cut_at_the_line() -> None:
    assert first_line("a \t\nb") == "a" and first_line("") == ""


def recursive_distance(a: str, b: str) -> int:
    """Levenshtein's distance by its definition."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(a), len(b))


@given(words, words)
def test_edit_similarity_equals_its_definition(a: str, b: str) -> None:
    """1 - Levenshtein / longer length, by the recursive definition."""
    one, other = a.strip(), b.strip()
    longer = max(len(one), len(other))
    expected = 1 - recursive_distance(one, other) / longer if longer else 1.0
    assert edit_similarity(a, b) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("return x", "return x", 1.0),
        (" return x  \n", "return x", 1.0),
        ("", "", 1.0),
        ("", "abcd", 0.0),
        ("kitten", "sitting", 1 - 3 / 7),
        ("abc", "abcdef", 0.5),
        ("abcd", "abce", 0.75),
    ],
)
def test_edit_similarity_of_hand_computed_cases(answer: str, truth: str, expected: float) -> None:
    assert edit_similarity(answer, truth) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.data())
def test_score_at_k_is_the_mean_best_of_k(values: list[float], data: st.DataObject) -> None:
    """The published formula equals the mean over every way to choose k values, of the best of them."""
    k = data.draw(st.integers(1, len(values)))
    assert score_at(k, values) == pytest.approx(fmean(max(chosen) for chosen in combinations(values, k)))


def test_score_at_k_needs_k_values() -> None:
    with pytest.raises(ValueError, match="score@3 of 2"):
        score_at(3, [0.0, 1.0])


@pytest.mark.parametrize(
    ("answer", "truth", "nim", "ism", "pm"),
    [
        ("append(item)", "append(item)", True, 1.0, 1.0),
        ("append( item ) # so", "append(item)", True, 1.0, 1.0),
        ("append(other)", "append(item)", True, 0.5, 0.5),
        ("app", "append(item)", False, 0.0, 0.0),
        ("join(a, b).x", "join(a, c)", True, 2 / 3, 4 / 6),
        ("", "size", False, 0.0, 0.0),
        ("size", "size + 1", True, 1.0, 1 / 3),
        ("other", "", False, 1.0, 1.0),
    ],
)
def test_nim_ism_and_pm_of_hand_computed_cases(answer: str, truth: str, nim: bool, ism: float, pm: float) -> None:
    assert next_identifier_match(answer, truth, "python") is nim
    assert identifier_sequence_match(answer, truth, "python") == pytest.approx(ism)
    assert prefix_match(answer, truth, "python") == pytest.approx(pm)


@pytest.mark.parametrize("language", ["python", "java", "typescript", "typescriptreact", "c", "cpp", "go", "rust"])
def test_every_language_has_a_lexer(language: str) -> None:
    """Identifiers are told from punctuation and numbers in all of them."""
    assert lexemes("size(item, 7)", language) == [
        (True, "size"), (False, "("), (True, "item"), (False, ","), (False, "7"), (False, ")")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "tr_s"),
    [("x = 1\ny = f(x)\n", 0.0), ("x = 1\ny = 2\nz = 'a'\n", 1 / 3), ("f(a)\n" * 10, 0.9), ("", 0.0)],
)
def test_statements_repeat_by_their_rules(text: str, tr_s: float) -> None:
    """Other names and numbers are the same statement; another kind of literal is not."""
    assert repeated(text)[1] == pytest.approx(tr_s)


def test_ngrams_repeat_by_their_rules() -> None:
    """1 - unique / all 4-grams, over the rules of all lines."""
    flat = ["name", "=", "number"] * 4
    grams = [tuple(flat[i : i + 4]) for i in range(9)]
    assert repeated("a = 1\nb = 2\nc = 3\nd = 4\n")[0] == pytest.approx(1 - len(set(grams)) / 9)


def test_rules_of_a_line_that_is_cut_short() -> None:
    assert line_rules("for x in f(1, 'a'):  # b") == [
        "for",
        "name",
        "in",
        "name",
        "(",
        "number",
        ",",
        "string",
        ")",
        ":",
        "comment",
    ]
    assert line_rules("x = [1,")[:4] == ["name", "=", "[", "number"]
    assert line_rules("}") in ([], ["}"])
