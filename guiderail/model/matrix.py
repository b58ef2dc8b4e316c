"""The two ways in which a weight matrix can lie in a CPU's memory, and the products with it."""

from __future__ import annotations

from typing import Protocol

import torch

FEWEST = 4  # rows; below, oneDNN's kernels are slower than those of four rows, and add up in another order


class Matrix(Protocol):
    """A weight matrix [in, out], float."""

    rows: int  # as many rows as a product should have at least: fewer are no faster

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """`x @ matrix`, plus a bias [out]; [n, out] of `x` [n, in]."""
        ...

    def onto(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """`total + x @ matrix`; [n, out]."""
        ...

    def weight(self) -> torch.Tensor:
        """The matrix as torch's linear modules have it, [out, in]; maybe a view."""
        ...


class Plain:
    """A matrix as a tensor, multiplied by torch's BLAS.

    Parameters
    ----------
    tensor
        [in, out], of any strides.
    """

    rows = 1

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        return torch.mm(x, self.tensor) if bias is None else torch.addmm(bias, x, self.tensor)

    def onto(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `Matrix`."""
        return torch.addmm(total, x, self.tensor)

    def weight(self) -> torch.Tensor:
        """See `Matrix`."""
        return self.tensor.t()


class Packed:
    """A float32 matrix in the blocks in which oneDNN reads it.

    A product of four rows takes about as long as one of a single row, and each row of a product comes out the same, bit
    for bit, however many others stand beside it and however many threads there are.

    Parameters
    ----------
    weight
        [out, in], as torch's linear modules have it; it is copied.
    """

    rows = FEWEST

    def __init__(self, weight: torch.Tensor) -> None:
        self.blocks = torch.ops.mkldnn._reorder_linear_weight(weight, FEWEST)

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        rows = len(x)
        more = filled(rows) - rows
        if not more:
            return _product(x, self.blocks, bias, "none", [], "")
        return _product(torch.nn.functional.pad(x, (0, 0, 0, more)), self.blocks, bias, "none", [], "")[:rows]

    def onto(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `Matrix`."""
        return total + self(x)

    def weight(self) -> torch.Tensor:
        """See `Matrix`."""
        return self.blocks.to_dense()


def filled(rows: int) -> int:
    """How many rows a packed product of so many is given: one of four numbers between a power of two and the next.

    torch keeps what oneDNN compiled for each shape and number of rows, half a megabyte of it, of the last thousand.
    """
    step = 1 << max(0, rows.bit_length() - 3)
    return max(FEWEST, -(-rows // step) * step)


def _product(*arguments: object) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise.default(*arguments)


def packing_pays() -> bool:
    """Whether packed matrices are the faster ones on this machine (docs/speed.md has the times)."""
    operations = ("_reorder_linear_weight", "_linear_pointwise")  # torch's own, for what it compiles
    has = torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in operations)
    return has and torch.backends.cpu.get_cpu_capability() == "AVX512"
