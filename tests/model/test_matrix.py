"""Products with a weight matrix, however it lies in memory."""

import pytest
import torch

from guiderail.model.matrix import FEWEST, FineInt8, Int8, Packed, Plain, filled, int8_is_possible

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
needs_int8 = pytest.mark.skipif(not int8_is_possible(), reason="this torch has no FBGEMM")
SHAPES = [(640, 384), (384, 1024), (37, 100), (8, 3), (896, 4864)]


def weight_of(shape: tuple[int, int]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def rows_of(shape: tuple[int, int], count: int) -> torch.Tensor:
    return torch.randn(count, shape[1], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 33])
@pytest.mark.parametrize("biased", [False, True])
def test_both_layouts_give_the_product(shape: tuple[int, int], rows: int, biased: bool) -> None:
    """fp32, within 1e-5 of the largest of the exact product."""
    weight, x = weight_of(shape), rows_of(shape, rows)
    bias = torch.arange(shape[0]).float() if biased else None
    exact = torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    for matrix in (Plain(weight.t()), Packed(weight)):
        assert (matrix(x, bias) - exact).abs().max() <= 1e-5 * exact.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [Plain, Packed])
def test_onto_adds_the_product(shape: tuple[int, int], kind: type[Plain | Packed]) -> None:
    """fp32, within 1e-5 of the largest of the exact sum."""
    weight, x, total = weight_of(shape), rows_of(shape, 2), torch.full((2, shape[0]), 3.0)
    matrix = Plain(weight.t()) if kind is Plain else Packed(weight)
    exact = total + torch.nn.functional.linear(x.double(), weight.double())
    assert (matrix.add_product(total, x) - exact).abs().max() <= 1e-5 * exact.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_packed_row_is_the_same_among_any_others(shape: tuple[int, int]) -> None:
    """Bit for bit, whatever the number of rows and of threads."""
    matrix, x = Packed(weight_of(shape)), rows_of(shape, 300)
    wanted, threads = matrix(x[:FEWEST])[0], torch.get_num_threads()
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            assert all(torch.equal(matrix(x[:rows])[0], wanted) for rows in (1, 2, 3, 5, 8, 16, 17, 64, 300))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("shape", SHAPES)
def test_packing_loses_nothing(shape: tuple[int, int]) -> None:
    """The weight comes back bit for bit."""
    weight = weight_of(shape)
    assert torch.equal(Packed(weight).weight(), weight)
    assert torch.equal(Plain(weight.t()).weight(), weight)


@needs_int8
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [1, 4, 33])
def test_an_int8_product_is_that_of_the_rounded_factors(shape: tuple[int, int], rows: int) -> None:
    """The sums are exact: what is lost is lost by rounding weights and rows, each to its own scale."""
    weight, x = weight_of(shape), rows_of(shape, rows)
    matrix, bias, levels = Int8(weight), torch.arange(shape[0]).float(), 127
    largest = x.abs().amax(1, keepdim=True)
    exact = (x / largest * levels).round().double() @ matrix.weight().t().double() * (largest / levels).double() + bias
    product = matrix(x, bias)
    # A value halfway between two integers may be rounded either way: at most a few do, each by one level.
    assert (product - exact).abs().max() <= 3 * float(largest.max()) / levels * float(weight.abs().max())
    assert (product - exact).abs().median() <= 1e-5 * exact.abs().max()


@needs_int8
@pytest.mark.parametrize("kind", [Int8, FineInt8])
@pytest.mark.parametrize("shape", SHAPES)
def test_int8_weights_are_within_half_a_level(shape: tuple[int, int], kind: type[Int8]) -> None:
    """Of the scale of their own output, and an output of zeros stays zero; fine ones have 8 bits on every CPU."""
    weight = weight_of(shape)
    weight[1] = 0
    assert FineInt8.levels()[0] == 127
    scales = weight.abs().amax(1, keepdim=True) / kind.levels()[0]
    rounded = kind(weight).weight()
    assert ((rounded - weight).abs() <= 0.501 * scales).all()
    assert not rounded[1].any()


@needs_int8
@pytest.mark.parametrize("kind", [Int8, FineInt8])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_int8_row_is_the_same_among_any_others(shape: tuple[int, int], kind: type[Int8]) -> None:
    """Bit for bit, whatever rows stand beside it (a hundred times larger, zero) and however many threads there are."""
    matrix, x = kind(weight_of(shape)), rows_of(shape, 300)
    x[1] *= 100
    x[2] = 0
    wanted, threads = matrix(x[:1])[0], torch.get_num_threads()
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            assert all(torch.equal(matrix(x[:rows])[0], wanted) for rows in (1, 2, 3, 5, 8, 16, 17, 64, 300))
    finally:
        torch.set_num_threads(threads)


@needs_int8
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outlier", [1.0, 1000.0])
def test_fine_activations_keep_13_or_15_bits_of_the_largest(shape: tuple[int, int], outlier: float) -> None:
    """Each is within half a level of the square of two, and so is the product of the rounded weights with them."""
    x, bias = rows_of(shape, 5), torch.arange(shape[0]).float()
    x[:, 1] *= outlier
    matrix = FineInt8(weight_of(shape))
    weight = matrix.weight().double()
    level = x.abs().amax(1, keepdim=True).double() / (2 * FineInt8.levels()[1] ** 2)
    bound = 0.51 * level * weight.abs().sum(1)
    exact = x.double() @ weight.t() + bias
    assert ((matrix(x, bias) - exact).abs() <= bound + 1e-5 * exact.abs().amax(1, keepdim=True)).all()


@needs_int8
@pytest.mark.parametrize("kind", [Int8, FineInt8])
def test_int8_saturates_nowhere(kind: type[Int8]) -> None:
    """Not where every factor is the largest there is, which 16-bit sums of two products do not hold."""
    matrix = kind(torch.ones(16, 512))
    assert torch.equal(matrix(torch.ones(3, 512)), torch.full((3, 16), 512.0))


def test_few_numbers_of_rows_are_compiled_for() -> None:
    """Four for each doubling, none smaller than what is asked for, and none a quarter larger but the smallest."""
    wanted = range(1, 1025)
    assert all(rows <= filled(rows) <= max(FEWEST, 1.25 * rows) for rows in wanted)
    assert all(filled(filled(rows)) == filled(rows) for rows in wanted)
    assert len({filled(rows) for rows in wanted}) == 4 * 8 + 1


@needs_int8
@pytest.mark.parametrize("outputs", [1, 7, 16, 40, 41, 100])
def test_packing_in_pieces_changes_nothing(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither products nor the weight, whatever the number of outputs."""
    weight, x, bias = weight_of((outputs, 24)), rows_of((outputs, 24), 5), torch.arange(outputs).float()
    whole = Int8(weight)
    monkeypatch.setattr("guiderail.model.matrix._OUTPUTS", 16)
    pieces = Int8(weight)
    assert len(pieces._pieces) == -(-outputs // 16)
    assert torch.equal(pieces(x, bias), whole(x, bias))
    assert torch.equal(pieces.weight(), whole.weight())
