"""USCD: its formula, its two prompts, and its test of uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.session import Session
from guiderail.decoding.stages.contrast import Contrast, Lame, certainty, without_docstrings
from guiderail.decoding.stages.stage import StepState
from guiderail.text.document import Document
from tests.helpers.models import tiny_model

rows = st.lists(st.floats(-6, 6), min_size=3, max_size=8)


def constant(scores: torch.Tensor) -> Callable[[Sequence[int]], torch.Tensor]:
    return lambda decoded: scores


@given(rows, st.data(), st.floats(0, 1), st.floats(0, 2), st.floats(0, 1))
def test_scores_are_the_papers(row: list[float], data: st.DataObject, bound: float, w: float, share: float) -> None:
    """log(p - w q) over the plausible tokens where the test says unsure, exact to 1e-6; else nothing changes."""
    other = data.draw(st.lists(st.floats(-6, 6), min_size=len(row), max_size=len(row)))
    logits = torch.tensor(row)
    p, q = logits.double().softmax(-1).tolist(), torch.tensor(other).double().softmax(-1).tolist()
    size, mean = len(p), 1 / len(p)
    sure = (sum((x - mean) ** 2 for x in p) / size) ** 0.5 * size**0.5
    got = Contrast(constant(torch.tensor(other)), bound, w, share)(logits, StepState([1, 2], 0))
    want = [max(0.0, x - w * y) if x >= share * max(p) - 1e-7 else 0.0 for x, y in zip(p, q, strict=True)]
    if abs(sure - bound) < 1e-5 or any(abs(x - share * max(p)) < 1e-6 for x in p):
        return  # neither side of a bound, but for rounding
    if sure > bound or sum(want) < 1e-6:
        assert torch.equal(got, logits) or sure <= bound
    else:
        assert torch.allclose(got.exp().double(), torch.tensor(want).double(), atol=1e-6)


@pytest.mark.parametrize("size", [10, 8_192, 152_000])
def test_certainty_does_not_depend_on_the_vocabulary(size: int) -> None:
    """A certain token has 1, a flat distribution 0, two equal ones the same for every size."""
    certain, flat, two = torch.zeros(size), torch.full((size,), 1 / size), torch.zeros(size)
    certain[3], two[:2] = 1.0, 0.5
    assert certainty(certain) == pytest.approx((1 - 1 / size) ** 0.5, abs=1e-6)
    assert certainty(flat) == pytest.approx(0, abs=1e-6)
    assert certainty(two) == pytest.approx((0.5 - 1 / size) ** 0.5, abs=1e-6)


def test_one_prompt_in_two_roles_changes_nothing() -> None:
    logits = torch.tensor([0.0, 0.1, 0.2])
    assert Contrast(None, 1.0, 0.7, 0.1)(logits, StepState([1], 0)) is logits


def test_the_lame_prompt_is_continued_with_the_same_tokens() -> None:
    """However many steps were skipped or taken back, its scores are those of a fresh encoding."""
    model = tiny_model("guiderail")
    prompt, decoded = [40, 41, 42, 43], [50, 51, 52, 53, 54]
    lame = Lame(Session(model), prompt)
    for count in (0, 3, 4, 1, 5):
        want = Session(model).feed([*prompt, *decoded[:count]])
        assert want is not None
        assert torch.allclose(lame(decoded[:count]), want, atol=1e-4)


def test_docstrings_and_comments_in_front_of_the_cursor_go() -> None:
    """Those after it stay; the cursor stands where it stood in the code."""
    before = '"""Module."""\nx = 1  # one\n\ndef f():\n    """Doc é.\n\n    >>> f()\n    """\n    y = "kept"\n    '
    document = Document(before + "z = 2  # two\n", Path("a.py"), "python")
    changed, offset = without_docstrings(document, len(before))
    assert changed.text[offset:] == "z = 2  # two\n"
    assert "Doc" not in changed.text and "Module" not in changed.text and "# one" not in changed.text
    assert changed.text[:offset].endswith('y = "kept"\n    ')
    assert without_docstrings(Document("# a", None, "cobol"), 3)[0].text == "# a"
