"""What Python's grammar alone allows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guiderail.decoding.stages.stage import StepState
from guiderail.evaluation import syntax_mask
from guiderail.evaluation.syntax_mask import SyntaxMask, may_go_on

BEFORE = "def f(self, x):\n    a = foo(x)\n    if a:\n        return self."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x(",
        "x.y",
        "x if y",
        "x['a",
        "x, 'un",
        "x\n    else:\n",
        "x\n    elif",
        "x +",
        "x +  ",
        "x !",
        "x\n    de",
    ],
)
def test_a_beginning_of_python_may_go_on(text: str) -> None:
    """Statements, expressions, words and strings may be unfinished."""
    assert may_go_on(BEFORE + text)


@pytest.mark.parametrize("text", ["x)", "(", "x for", "x = = 1", "x..", "import ", "x\n      y", "x else", "x z"])
def test_what_no_file_begins_with_may_not(text: str) -> None:
    """Python's grammar has no continuation for these."""
    assert not may_go_on(BEFORE + text)


def test_no_beginning_of_true_code_is_refused() -> None:
    """Soundness: function by function, every beginning of this project's own code may go on."""
    text = Path(syntax_mask.__file__).read_text()
    for function in text.split("\n\n\n")[1:]:
        for end in range(1, len(function), 7):
            if function.startswith("def "):
                assert may_go_on(function[:end]), function[:end]


TOKENS = [b"", b"x", b")", b" y", b"\n", b"("]


def masked(before: str, written: list[int], scores: list[float]) -> list[float]:
    mask = SyntaxMask(before, TOKENS)
    return mask(torch.tensor(scores), StepState([9, 9, *written], len(written))).tolist()


def test_the_likeliest_token_that_may_come_becomes_the_best() -> None:
    """Everything above it is forbidden, what is below it is left alone."""
    found = masked(BEFORE, [], [0.0, 3.0, 5.0, 1.0, 2.0, 4.0])
    assert found == [0.0, 3.0, float("-inf"), 1.0, 2.0, float("-inf")]


def test_what_was_decoded_counts() -> None:
    """After a name a bracket may open, and close once it is open."""
    assert masked(BEFORE, [1], [0, 1, 2, 1, 1, 9])[5] == 9
    assert masked(BEFORE, [1, 5], [0, 1, 9, 1, 1, 2])[2] == 9


def test_scores_stay_as_they_are_where_the_text_is_broken_already() -> None:
    """Soundness before strength: a file that this parser does not read is not constrained."""
    scores = [0.0, 3.0, 5.0, 1.0, 2.0, 4.0]
    assert masked("def f():\n    x = = ", [], scores) == scores
