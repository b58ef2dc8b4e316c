"""Fused weights: the products of the modules that they were made of, which can have them back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.model.fused import fuse, unfuse
from guiderail.model.matrix import Layout, Packed, Plain

LAYOUTS: list[Layout] = [Plain, Packed] if torch.backends.mkldnn.is_available() else [Plain]


def tensor_of(*modules: torch.nn.Linear) -> torch.Tensor:
    """Where the modules' weights lie if they are not packed."""
    matrix = fuse(*modules, layout=Plain)
    assert isinstance(matrix, Plain)
    return matrix.tensor


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 12),
    st.sampled_from([1, 3]),
    st.sampled_from(LAYOUTS),
)
def test_a_product_is_those_of_the_modules_side_by_side(
    outs: list[int], inputs: int, rows: int, layout: Layout
) -> None:
    """Whatever the shape, and whichever way it is stored; given back, the weights are those of before, bit for bit."""
    modules = [torch.nn.Linear(inputs, out, bias=False) for out in outs]
    x = torch.randn(rows, inputs)
    with torch.inference_mode():
        expected, weights = torch.cat([m(x) for m in modules], -1), [m.weight.data.clone() for m in modules]
        matrix = fuse(*modules, layout=layout)
        torch.testing.assert_close(matrix(x), expected)
        if layout is Plain:
            torch.testing.assert_close(torch.cat([m(x) for m in modules], -1), expected)
        unfuse(matrix, *modules)
        assert all(torch.equal(m.weight.data, weight) for m, weight in zip(modules, weights, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shapes", [((3, 8),), ((8, 3),), ((3, 8), (2, 8)), ((3, 4), (2, 4))])
def test_weights_are_views_of_the_fused_matrix(shapes: tuple[tuple[int, int], ...], dtype: torch.dtype) -> None:
    """Changing a module's weight changes the matrix, and the bytes are those of the weights alone."""
    modules = [torch.nn.Linear(inputs, out, bias=False, dtype=dtype) for out, inputs in shapes]
    matrix = tensor_of(*modules)
    for module in modules:
        module.weight.data.fill_(7)
    assert (matrix == 7).all()
    assert matrix.untyped_storage().nbytes() == sum(m.weight.nbytes for m in modules)


def test_tied_embeddings_are_one_matrix_and_look_up_the_same_rows() -> None:
    """A table of embeddings that is the unembedding too stays shared, whichever way it is stored."""
    table, head = torch.nn.Embedding(20, 4), torch.nn.Linear(4, 20, bias=False)
    head.weight = table.weight
    ids = torch.tensor([3, 0, 19, 3])
    with torch.inference_mode():
        expected = table(ids).clone()
        matrix = tensor_of(head)
        assert table.weight.data_ptr() == head.weight.data_ptr() == matrix.data_ptr()
        assert torch.equal(table(ids), expected)
