"""Weight matrices on a CPU: their layouts in memory, and products with them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from typing import Protocol

import torch

from guiderail.errors import GuiderailError

FEWEST = 4  # rows; below, oneDNN's kernels are slower than those of four rows, and add up in another order


class Matrix(Protocol):
    """A weight matrix [in, out], float."""

    rows: int  # as many rows as a product should have at least: fewer are no faster

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """`x @ matrix`, plus a bias [out]; [n, out] of `x` [n, in]."""
        ...

    def add_product(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
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

    @classmethod
    def of(cls, parts: Sequence[torch.Tensor]) -> Plain:
        """The matrix whose only part is a tensor [in, out]; it is taken over."""
        return cls(parts[0])

    @staticmethod
    def prepared(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The part of the matrix of these weights [out, in], side by side; it shares no memory with them."""
        return [_laid(weights)]

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        return torch.mm(x, self.tensor) if bias is None else torch.addmm(bias, x, self.tensor)

    def add_product(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
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

    @classmethod
    def of(cls, parts: Sequence[torch.Tensor]) -> Packed:
        """The matrix whose only part is its weight [out, in]; it is copied."""
        return cls(parts[0])

    @staticmethod
    def prepared(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The part of the matrix of these weights [out, in], side by side: packing it is as fast as copying.

        A single weight is that part itself.
        """
        return [_joined(weights)]

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        rows = len(x)
        more = filled(rows) - rows
        if not more:
            return _product(x, self.blocks, bias, "none", [], "")
        return _product(torch.nn.functional.pad(x, (0, 0, 0, more)), self.blocks, bias, "none", [], "")[:rows]

    def add_product(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `Matrix`."""
        return total + self(x)

    def weight(self) -> torch.Tensor:
        """See `Matrix`."""
        return self.blocks.to_dense()


class Int8:
    """A matrix in 8-bit integers, with one scale for each output and one for each row it is multiplied by.

    Without VNNI the kernels add up two products in 16 bits, which hold 2 * 255 * 63 and 2 * 127 * 127, and not
    2 * 255 * 127: weights have 7 bits there. (Leaving a bit out of the activations instead loses two and a half times
    as much, unless they are `FineInt8`.)

    Weights and activations are quantised symmetrically and their products added up exactly, in 32-bit integers, by
    torch's FBGEMM kernels. So each row of a product is the same, bit for bit, whatever rows stand beside it.

    Parameters
    ----------
    weight
        [out, in], of any floating-point type, as torch's linear modules have it; it is copied.

    Raises
    ------
    UnsupportedPrecisionError
        This build of torch has no such kernels.
    """

    rows = 1

    def __init__(self, weight: torch.Tensor) -> None:
        self._pack(*self.prepared([weight]))

    def _pack(self, integers: torch.Tensor, scales: torch.Tensor) -> None:
        self._pieces = [_packed(*piece) for piece in zip(*(_parted(one) for one in (integers, scales)), strict=True)]

    @classmethod
    def of(cls, parts: Sequence[torch.Tensor]) -> Int8:
        """The matrix of 8-bit weights [out, in] and their scales, float32 [out]; they are copied."""
        made = cls.__new__(cls)
        made._pack(*parts)
        return made

    @classmethod
    def prepared(cls, weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The parts of the matrix of these weights [out, in], side by side: packed ones are out of reach."""
        if not int8_is_possible():
            raise UnsupportedPrecisionError("this build of torch has no 8-bit products", "Use --dtype float32")
        return list(_rounded(_joined(weights), cls.levels()[0]))

    @staticmethod
    def levels() -> tuple[int, int]:
        """The largest integers that a weight and an activation become."""
        return (127 if _adds_up_in_32_bits() else 63), 127

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        levels = self.levels()[1]
        scale = _largest(x).div_(levels)
        product = self._product(x / scale, levels).mul_(scale)
        return product if bias is None else product.add_(bias)

    def _product(self, x: torch.Tensor, levels: int) -> torch.Tensor:
        """The product with `x` rounded to whole numbers of at most `levels`: the kernel has one scale for all."""
        products = [_int8_product(x, 1.0, levels + 1, piece) for piece in self._pieces]
        return products[0] if len(products) == 1 else torch.cat(products, 1)

    def add_product(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `Matrix`."""
        return self(x).add_(total)

    def weight(self) -> torch.Tensor:
        """See `Matrix`; the rounded weights, a new tensor in float32."""
        return torch.cat([torch.ops.quantized.linear_unpack(piece)[0].dequantize() for piece in self._pieces])


class FineInt8(Int8):
    """Weights of 8 bits, and activations of 15, for inputs of which a few are far larger than the rest.

    Those decide the scale of a row, and 8 bits leave little of the others. So each row is multiplied as two: what 8
    bits hold of it, and what they leave. The weights are read once for both. Without VNNI it is 7 bits and what they
    leave, so 13, which is enough: the bit goes to the weights.
    """

    @staticmethod
    def levels() -> tuple[int, int]:
        """See `Int8.levels`."""
        return 127, (127 if _adds_up_in_32_bits() else 63)

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        levels = self.levels()[1]
        scale = _largest(x).div_(levels)
        exact = x / scale
        coarse = exact.round()
        # What rounding leaves is at most a half.
        coarse, rest = self._product(torch.cat((coarse, exact.sub_(coarse).mul_(2 * levels))), levels).chunk(2)
        product = coarse.add_(rest, alpha=1 / (2 * levels)).mul_(scale)
        return product if bias is None else product.add_(bias)


class UnsupportedPrecisionError(GuiderailError):
    """This machine, or this build of torch, cannot compute in the precision that is wanted."""


_PIECE = 1 << 17  # weights rounded at a time
# Outputs that are packed as one. FBGEMM walks over all of them for each input, in steps of whole pages: of many more
# neither a core's cache nor its table of pages holds what it touches, and packing takes up to four times as long.
_OUTPUTS = 8192
_TINY = 1e-20  # a row of zeros has a scale too


def _largest(x: torch.Tensor) -> torch.Tensor:
    """The largest magnitude of each row, [n, 1]."""
    return torch.linalg.vector_norm(x, float("inf"), 1, keepdim=True).clamp_min_(_TINY)


def int8_is_possible() -> bool:
    """Whether this build of torch has 8-bit products with a scale that is given."""
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(
        torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    )


@cache
def _adds_up_in_32_bits() -> bool:
    return torch.cpu._is_vnni_supported()


def _rounded(weight: torch.Tensor, levels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """8-bit weights [out, in] and their scales, float32 [out]; some rows at a time, which stay in a core's cache.

    The largest of an output becomes the integer `levels`.
    """
    integers, scales = torch.empty(weight.shape, dtype=torch.int8), torch.empty(len(weight))
    count = max(1, _PIECE // max(1, weight.shape[1]))
    for start in range(0, len(weight), count):
        rows = torch.empty(weight[start : start + count].shape).copy_(weight[start : start + count])
        scale = rows.abs().amax(1).clamp_min_(_TINY).div_(levels)
        scales[start : start + count] = scale
        integers[start : start + count] = rows.div_(scale[:, None]).round_()
    return integers, scales


def _parted(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Equal pieces of what has one entry for each output."""
    count = max(1, -(-len(tensor) // _OUTPUTS))
    return tensor.split(max(1, -(-len(tensor) // count)))


def _packed(integers: torch.Tensor, scales: torch.Tensor) -> object:
    """Int8 weights [out, in] and their scales [out] in the blocks that FBGEMM reads."""
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    with _fbgemm:
        empty = torch._empty_per_channel_affine_quantized  # pyright: ignore[reportPrivateImportUsage]
        quantised = empty(integers.shape, scales=scales.double(), zero_points=zeros, axis=0, dtype=torch.qint8)
        # The integers themselves and no copy of them, as when torch reads a quantised tensor from a file.
        quantised.set_(integers.untyped_storage(), integers.storage_offset(), integers.shape, integers.stride())
        return torch.ops.quantized.linear_prepack(quantised, None)


class _Fbgemm:
    """FBGEMM as the process's engine, which decides what weights are packed for, while any thread packs some.

    Nor are warnings of deprecated tensors shown meanwhile: like the engine, what is shown is the process's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._undo.callback(setattr, torch.backends.quantized, "engine", torch.backends.quantized.engine)
                self._undo.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", message=".*quantized tensor creation functions.*")
                torch.backends.quantized.engine = "fbgemm"

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._undo.close()


_fbgemm = _Fbgemm()


def _int8_product(*arguments: object) -> torch.Tensor:
    return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(*arguments)


Layout = type[Plain] | type[Packed] | type[Int8]


def fine(layout: Layout) -> Layout:
    """The layout of matrices whose inputs have outliers, where the others' is `layout`."""
    return FineInt8 if layout is Int8 else layout


def _joined(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    return weights[0] if len(weights) == 1 else torch.cat(list(weights))


def _laid(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """One tensor [in, all outs].

    A product of one row takes as long as reading the matrix does, and BLAS reads fastest along the longer side: in
    float32 a matrix with no fewer outputs than inputs is stored input by input (measured: up to twice as fast, and no
    slower for any number of rows), all others stay as torch has them, output by output.
    """
    outs, inputs = [len(weight) for weight in weights], weights[0].shape[1]
    if weights[0].dtype == torch.float32 and sum(outs) >= inputs:
        matrix = weights[0].new_empty(inputs, sum(outs))
    else:
        matrix = weights[0].new_empty(sum(outs), inputs).t()
    for weight, part in zip(weights, matrix.split(outs, 1), strict=True):
        part.copy_(weight.t())
    return matrix


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
