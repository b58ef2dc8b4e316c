"""The n-gram baseline."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.evaluation.ngram_model import ORDERS, NgramModel, half_typed

BYTES = [b"a", b"b", b"ab", b"\n", b" c", b"c", b""]
texts = st.lists(st.integers(0, 5), max_size=20)


def seen(*many: list[int]) -> NgramCounts:
    counts = NgramCounts(ORDERS)
    for number, text in enumerate(many):
        counts.set_text(str(number), text)
    return counts


@given(texts, texts)
def test_probabilities_sum_to_one(text: list[int], history: list[int]) -> None:
    model = NgramModel(seen(text), BYTES)
    assert sum(model.probability(history, token) for token in range(len(BYTES))) == pytest.approx(1)


@given(texts, texts)
def test_reading_leaves_the_counts_as_they_were(text: list[int], read: list[int]) -> None:
    counts = seen(text)
    model = NgramModel(counts, BYTES)
    model.bits(read)
    model.complete(read, read, b"", max_tokens=5)
    assert counts == seen(text)


def test_an_unseen_text_costs_the_uniform_distribution_then_less() -> None:
    model = NgramModel(seen(), BYTES)
    assert model.bits([2]) == pytest.approx(math.log2(len(BYTES)))
    assert model.bits([0, 1, 3] * 10) < 30 * math.log2(len(BYTES)) / 2


def test_ppm_by_hand() -> None:
    # order 0 of "0 1 0": c(0)=2, c(1)=1, two kinds, so p(0) = 2/5 + 2/5 * 1/7; order 1 after 0: c(1)=1, one kind
    model = NgramModel(seen([0, 1, 0]), BYTES)
    assert model.probability([], 0) == pytest.approx(2 / 5 + 2 / 5 / 7)
    assert model.probability([0], 1) == pytest.approx(1 / 2 + 1 / 2 * (1 / 5 + 2 / 5 / 7))


def test_it_copies_from_the_context_to_the_end_of_the_line() -> None:
    answer, tokens = NgramModel(seen(), BYTES).complete([0, 1, 4, 3, 0, 1], [], b"", max_tokens=9)
    assert (answer, tokens) == (b" c\n", 2)


def test_a_half_typed_word_is_written_first_and_not_returned() -> None:
    model = NgramModel(seen([1, 0, 3, 1, 0, 3, 1, 4, 3]), BYTES)
    assert model.complete([1], [], b"", max_tokens=9)[0] == b"a\n"
    assert model.complete([1], [], b" c", max_tokens=9)[0] == b"\n"


def test_nothing_known_fits_gives_no_answer() -> None:
    assert NgramModel(seen([0, 1]), BYTES).complete([], [], b"zz", max_tokens=9) == (b"", 0)


@pytest.mark.parametrize(
    ("prefix", "word"), [("x = foo.ba", "ba"), ("return se", " se"), ("call(", ""), ("x = ", ""), ("é", "é")]
)
def test_the_half_typed_word_has_its_leading_space(prefix: str, word: str) -> None:
    assert half_typed(prefix) == word
