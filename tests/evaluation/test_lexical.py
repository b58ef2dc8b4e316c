"""NIM, ISM and PM against hand-computed cases."""

import pytest

from guiderail.evaluation.lexical import identifier_sequence_match, lexemes, next_identifier_match, prefix_match


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
def test_hand_computed_cases(answer: str, truth: str, nim: bool, ism: float, pm: float) -> None:
    assert next_identifier_match(answer, truth, "python") is nim
    assert identifier_sequence_match(answer, truth, "python") == pytest.approx(ism)
    assert prefix_match(answer, truth, "python") == pytest.approx(pm)


@pytest.mark.parametrize("language", ["python", "java", "typescript", "typescriptreact", "c", "cpp", "go", "rust"])
def test_every_language_has_a_lexer(language: str) -> None:
    """Identifiers are told from punctuation and numbers in all of them."""
    assert lexemes("size(item, 7)", language) == [
        (True, "size"), (False, "("), (True, "item"), (False, ","), (False, "7"), (False, ")")
    ]  # fmt: skip
