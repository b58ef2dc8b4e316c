"""RPG: exact tandem repeats, the formula on the scores, and what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stages.grammar_repetition import (
    LINES,
    MATCHING,
    SHORTEST,
    GrammarRepetition,
    continued,
    copied,
    decayed,
)
from guiderail.decoding.stages.ngram import FimMarks
from guiderail.decoding.stages.stage import StepState
from guiderail.errors import UsageError
from guiderail.text.statements import Rule

WORDS = [
    b"elif", b"else", b"return", b"if", b"x", b"self", b"import", b"from", b"    ", b"        ", b"\n", b" ", b":",
    b"el", b"case", b"default", b"}", b"int",
]  # fmt: skip
TABLE = [b"", *(bytes([byte]) for byte in range(256)), *WORDS]
ID = {data: index for index, data in enumerate(TABLE)}
PREFIX, SUFFIX, MIDDLE = range(len(TABLE), len(TABLE) + 3)
RULES = [Rule(kind, kind, 0) for kind in "abc"]


def brute_force(rules: Sequence[Rule], candidate: Rule) -> int:
    """The most copies of any block at the end of the sequence, by trying every block and count."""
    text, best = [*rules, candidate], 0
    for period in range(1, len(rules) // 2 + 1):
        copies = 1
        while all(
            text[len(text) - i - 1] == text[len(text) - i - 1 - period]
            for i in range(copies * period)
            if len(text) - i - 1 - period >= 0
        ) and (copies + 1) * period <= len(text):
            copies += 1
        matches = sum(1 for _ in iter_matches(text, period))
        if matches >= LINES:
            best = max(best, copies)
    return best


def iter_matches(text: Sequence[Rule], period: int):
    at = len(text) - 1
    while at - period >= 0 and text[at] == text[at - period]:
        yield at
        at -= 1


@given(st.lists(st.sampled_from(RULES), max_size=30), st.integers(1, 6))
def test_repeats_equal_a_search_of_all_blocks(rules: list[Rule], minimum: int) -> None:
    """For every rule that may come next, the copies of the longest tandem repeat that it continues."""
    want = {rule: copies for rule in RULES if (copies := brute_force(rules, rule)) > minimum}
    assert continued(rules, minimum) == want


@given(st.lists(st.sampled_from(RULES), min_size=1, max_size=5), st.integers(2, 12), st.data())
def test_a_planted_repeat_is_always_found(block: list[Rule], copies: int, data: st.DataObject) -> None:
    """Whatever is before it, and wherever the last copy is cut."""
    front = data.draw(st.lists(st.sampled_from(RULES), max_size=8))
    cut = data.draw(st.integers(0, len(block) - 1))
    rules = [*front, *block * copies, *block[:cut]]
    if len(block) * (copies - 1) + cut + 1 >= LINES:
        assert continued(rules, 1)[block[cut]] >= copies


@given(st.integers(0, 50), st.floats(0, 0.99))
def test_what_copies_count_is_bounded(copies: int, decay: float) -> None:
    assert decayed(copies, decay) == pytest.approx(sum(decay**i for i in range(copies)))
    assert decayed(copies, decay) <= 1 / (1 - decay) + 1e-9
    assert decayed(copies, 1.0) == copies


def encode(text: str) -> list[int]:
    ids, data = [], text.encode()
    while data:
        best = max((d for d in TABLE if d and data.startswith(d)), key=len)
        ids.append(ID[best])
        data = data[len(best) :]
    return ids


def changes(language: str, text: str, **options: float) -> dict[bytes, float]:
    """By token, what RPG added to its score after `text`."""
    stage = GrammarRepetition(language, TABLE, **{"verbatim": 0.0, **options})  # type: ignore[arg-type]
    ids = encode(text)
    logits = torch.zeros(len(TABLE))
    logits[[ID[word] for word in WORDS]] = 1.0
    changed = stage(logits, StepState(ids, 0)) - logits
    return {TABLE[i]: float(changed[i]) for i in changed.nonzero().flatten().tolist()}


def arms(count: int) -> str:
    lines = "".join(f"    elif x == {i}:\n        return {i}\n" for i in range(count))
    return f"def f(x):\n    if x == 'a':\n        return 0\n{lines}"


@pytest.mark.parametrize("count", [4, 5, 9])
def test_endless_arms_are_discounted_by_the_formula(count: int) -> None:
    """At the opening of the next arm `elif`, and nothing else, loses Count ln(lambda)."""
    excess = count + 1 - 3
    want = math.log(0.9) * sum(0.97**i for i in range(excess))
    found = changes("python", arms(count) + "    ")
    assert set(found) == {b"elif"}
    assert found[b"elif"] == pytest.approx(want, abs=1e-5)


def test_a_keyword_in_pieces_is_discounted_with_its_last_piece() -> None:
    assert b"if" in changes("python", arms(6) + "    el")
    assert b"se" not in changes("python", arms(6) + "    el")


def test_inside_a_statement_nothing_changes() -> None:
    assert changes("python", arms(6) + "    elif x") == {}
    assert changes("python", arms(6) + "    elif x == 7:") == {}


def test_another_depth_is_another_rule() -> None:
    """The same word, indented otherwise, does not continue the repeat."""
    assert changes("python", arms(6) + "        ") == {}


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"import m{i}\n" for i in range(4)),
        "def test():\n    x = 1\n    y = f(x)\n    assert y\n    z = g(y)\n    assert z\n    ",
        "TABLE = {\n" + "".join(f"    'k{i}': {i},\n" for i in range(5)) + "    ",
        'def f():\n    """Text.\n\n' + "".join(f"    :param p{i}: it\n" for i in range(12)) + "    ",
    ],
)
def test_short_repeats_and_docstrings_are_left_alone(text: str) -> None:
    """Imports, tables, tests and parameter lists: nothing there repeats often enough, or word for word."""
    assert changes("python", text, verbatim=5.0) == {}


@given(st.text("ab ", max_size=6), st.text("ab =,", min_size=1, max_size=14), st.integers(1, 20), st.integers(0, 13))
def test_a_block_word_for_word_equals_a_search_of_all(front: str, block: str, copies: int, cut: int) -> None:
    """The most copies, over every block that is long enough and repeats enough bytes."""
    text = (front + block * copies + block[:cut]).encode()
    want = 1
    for period in range(SHORTEST, len(text) // 2 + 1):
        same = next((n for n in range(len(text) - period) if text[-1 - n] != text[-1 - n - period]), len(text) - period)
        if same >= MATCHING:
            want = max(want, (same + period) // period)
    found, got = copied(text)
    assert got == want
    assert got == 1 or text.endswith(found * 2)


def test_words_that_loop_are_discounted_where_they_go_on() -> None:
    """In the middle of a statement, and in a comment, by Count ln(lambda) and times `verbatim`."""
    for line in ("x = if (" + "self if x, " * 6, "# " + "return self: " * 6):
        found = changes("python", line, verbatim=5.0)
        assert set(found) == {b"self" if line[0] == "x" else b"return"} | ({b"s"} & set(found))
        assert found[b"self" if line[0] == "x" else b"return"] == pytest.approx(
            5 * math.log(0.9) * decayed(4, 0.97), abs=1e-5
        )


def test_words_that_differ_are_no_loop() -> None:
    rows = "".join(f"        self.assertEqual(f({i}), {i * i})\n" for i in range(12))
    found = changes("python", rows + "        self.assertEqual(f(", verbatim=5.0)
    assert found == {}


@given(st.integers(8, 60))
def test_a_long_table_keeps_its_next_row_likely(rows: int) -> None:
    """However long the list, its next row loses at most ln(lambda) / (1 - decay): a sure model goes on."""
    text = "import a\n" * rows
    found = changes("python", text)
    assert 0 > found[b"import"] >= math.log(0.9) / 0.03


@pytest.mark.parametrize(
    ("language", "head", "arm", "word"),
    [
        ("java", "class A {\n int f(int x) {\n  switch (x) {\n", "  case 1:\n   return 2;\n", b"case"),
        ("javascript", "function f(x) {\n switch (x) {\n", "  case 1:\n   return 2;\n", b"case"),
        ("typescript", "function f(x: number) {\n", "  if (x == 1) {\n   return 2;\n  }\n", b"if"),
        ("c", "int f(int x) {\n", "  if (x == 1) {\n   return 2;\n  }\n", b"if"),
        ("cpp", "int f(int x) {\n", "  if (x == 1) {\n   return 2;\n  }\n", b"if"),
        ("go", "package a\nfunc f(x int) int {\n switch x {\n", "  case 1:\n   return 2\n", b"case"),
        ("rust", "fn f(x: i32) -> i32 {\n", "  if x == 1 {\n   return 2;\n  }\n", b"if"),
    ],
)
def test_every_language_has_its_rules(language: str, head: str, arm: str, word: bytes) -> None:
    assert set(changes(language, head + arm * 8 + "  ")) == {word}


def test_the_text_is_what_is_before_the_cursor() -> None:
    """The suffix of a fill-in-the-middle prompt is not what is repeated; what was decoded is."""
    stage = GrammarRepetition("python", TABLE, FimMarks(PREFIX, SUFFIX, MIDDLE), verbatim=0)
    body, tail = encode(arms(4)), encode("    elif x == 9:\n        return 9\n    ")
    prompt = [PREFIX, *body, SUFFIX, *encode("\nprint(x)\n"), MIDDLE]
    logits = torch.zeros(len(TABLE))
    logits[ID[b"elif"]] = 1.0
    changed = stage(logits, StepState([*prompt, *tail], len(tail)))
    want = math.log(0.9) * decayed(3, 0.97)
    assert float(changed[ID[b"elif"]] - 1) == pytest.approx(want, abs=1e-5)
    again = stage(logits, StepState([*prompt, *encode("    ")], 1))
    assert float(again[ID[b"elif"]] - 1) == pytest.approx(math.log(0.9) * decayed(2, 0.97), abs=1e-5)


def test_a_language_without_a_grammar_is_refused() -> None:
    with pytest.raises(UsageError, match="cobol"):
        GrammarRepetition("cobol", TABLE)
