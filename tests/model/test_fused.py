"""Fused weights: the products of the matrices that they were made of."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.model.fused import fuse
from guiderail.model.matrix import Layout, Packed, Plain

LAYOUTS: list[Layout] = [Plain, Packed] if torch.backends.mkldnn.is_available() else [Plain]


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 12),
    st.sampled_from([1, 3]),
    st.sampled_from(LAYOUTS),
)
def test_a_product_is_those_of_the_weights_side_by_side(
    outs: list[int], inputs: int, rows: int, layout: Layout
) -> None:
    """Whatever the shape, and whichever way it is stored; its weight is theirs below one another, bit for bit."""
    weights, x = [torch.randn(out, inputs) for out in outs], torch.randn(rows, inputs)
    with torch.inference_mode():
        matrix = fuse(weights, layout)
        torch.testing.assert_close(matrix(x), torch.cat([x @ weight.t() for weight in weights], -1))
        assert torch.equal(matrix.weight(), torch.cat(weights))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shapes", [((8, 3),), ((3, 8),), ((3, 8), (2, 8)), ((3, 4), (2, 4))])
def test_a_matrix_has_memory_of_its_own(shapes: tuple[tuple[int, int], ...], dtype: torch.dtype) -> None:
    """As much as its weights have, which may be views of a file that others can change."""
    weights = [torch.ones(shape, dtype=dtype) for shape in shapes]
    matrix = fuse(weights, Plain)
    for weight in weights:
        weight.fill_(7)
    assert (matrix.weight() == 1).all()
    assert matrix.weight().untyped_storage().nbytes() == sum(weight.nbytes for weight in weights)
