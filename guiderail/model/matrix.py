"""The ways in which a weight matrix can lie in a CPU's memory, and the products with it."""

from __future__ import annotations

import threading
import warnings
from contextlib import ExitStack
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


class Int8:
    """A matrix in 8-bit integers, with one scale for each output and one for each row it is multiplied by.

    Without VNNI the kernels add up two products in 16 bits, which hold 2 * 255 * 63 and not 2 * 255 * 127: weights have
    7 bits there. (Leaving a bit out of the activations instead loses two and a half times as much.)

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
        if not int8_is_possible():
            raise UnsupportedPrecisionError("this build of torch has no 8-bit products", "Use --dtype float32")
        integers, scales = _rounded(weight)
        self._packed = _packed(integers, scales)

    def __call__(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matrix`."""
        # The kernel knows one scale for all rows: each row is brought to the range [-1, 1] first.
        largest = x.abs().amax(1, keepdim=True).clamp_min_(_TINY)
        product = _int8_product(x / largest, 1 / _LEVELS, _LEVELS + 1, self._packed).mul_(largest)
        return product if bias is None else product.add_(bias)

    def onto(self, total: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """See `Matrix`."""
        return self(x).add_(total)

    def weight(self) -> torch.Tensor:
        """See `Matrix`; the rounded weights, a new tensor in float32."""
        return torch.ops.quantized.linear_unpack(self._packed)[0].dequantize()


class UnsupportedPrecisionError(GuiderailError):
    """This machine, or this build of torch, cannot compute in the precision that is wanted."""


_LEVELS = 127  # the largest integer that an activation becomes
_PIECE = 1 << 17  # weights rounded at a time
_TINY = 1e-20  # a row of zeros has a scale too


def weight_levels() -> int:
    """The largest integer that a weight becomes (see `Int8`)."""
    return _LEVELS if torch.cpu._is_vnni_supported() else 63


def int8_is_possible() -> bool:
    """Whether this build of torch has 8-bit products with a scale that is given."""
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(
        torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    )


def _rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """8-bit weights [out, in] and their scales, float32 [out]; some rows at a time, which stay in a core's cache."""
    integers, scales = torch.empty(weight.shape, dtype=torch.int8), torch.empty(len(weight))
    count = max(1, _PIECE // max(1, weight.shape[1]))
    for start in range(0, len(weight), count):
        rows = torch.empty(weight[start : start + count].shape).copy_(weight[start : start + count])
        scale = rows.abs().amax(1).clamp_min_(_TINY).div_(weight_levels())
        scales[start : start + count] = scale
        integers[start : start + count] = rows.div_(scale[:, None]).round_()
    return integers, scales


def _packed(integers: torch.Tensor, scales: torch.Tensor) -> object:
    """Int8 weights [out, in] and their scales [out] in the blocks that FBGEMM reads."""
    zeros = torch.zeros(len(scales), dtype=torch.int64)
    with _fbgemm:
        make = torch._make_per_channel_quantized_tensor  # pyright: ignore[reportPrivateImportUsage]
        return torch.ops.quantized.linear_prepack(make(integers, scales.double(), zeros, 0), None)


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
