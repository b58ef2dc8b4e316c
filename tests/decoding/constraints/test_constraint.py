"""Packed masks, and constraints that share a step."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.constraints.choice import apply
from guiderail.decoding.constraints.masks import allowed, full_mask, permit
from tests.helpers.constraints import AllowedAfter


def only(*tokens: int) -> AllowedAfter:
    return AllowedAfter(lambda _: tokens)


@given(st.integers(1, 200), st.data())
def test_a_mask_holds_exactly_the_permitted_tokens(size: int, data: st.DataObject) -> None:
    """After two `permit` calls the mask is the intersection of the two sets, for any vocabulary size."""
    tokens = st.sets(st.integers(0, size - 1))
    first, second = data.draw(tokens), data.draw(tokens)
    mask = full_mask(size)
    assert allowed(mask, size).all()
    permit(mask, np.array(sorted(first), dtype=np.int64))
    permit(mask, np.array(sorted(second), dtype=np.int64))
    assert set(allowed(mask, size).nonzero().flatten().tolist()) == first & second


def test_constraints_intersect() -> None:
    """Only tokens that every constraint allows keep their score."""
    out = apply([only(1, 2, 3), only(2, 3, 4)], torch.arange(6.0))
    assert out.isfinite().nonzero().flatten().tolist() == [2, 3]


def test_the_newest_constraint_gives_way() -> None:
    """Where the intersection is empty the newest constraint yields: decoding never dead-ends."""
    out = apply([only(1, 2), only(5)], torch.arange(6.0))
    assert out.isfinite().nonzero().flatten().tolist() == [1, 2]


def test_no_constraint_changes_nothing() -> None:
    """Without a waiting constraint the scores are the same object."""
    logits = torch.arange(6.0)
    assert apply([], logits) is logits
