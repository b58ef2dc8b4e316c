"""The speed of this machine: measured in a few seconds, and cached.

Everything is timed with guiderail's own kernels, in the shapes of a middling model, and from memory: what is multiplied
is larger than a processor's caches, as a model's weights are. The best of several rounds counts, which is the machine
at rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import rms_norm, silu

from guiderail import private, projectfile
from guiderail.model import memory, threads
from guiderail.model.attention import Step, attend
from guiderail.model.checkpoint import Checkpoint
from guiderail.model.estimate import ROWS, Rates, activations
from guiderail.model.fused import fuse
from guiderail.model.lean import LeanForward
from guiderail.model.matrix import Int8, fine, int8_is_possible
from guiderail.model.model import _layout
from guiderail.model.rope import frequencies
from guiderail.model.shape import Shape
from guiderail.projectfile import ProjectFileError

_log = logging.getLogger(__name__)

PATIENCE_S = 0.15  # for one number, once everything is laid out
_OUT, _IN = 2048, 2048  # of the matrices that are multiplied
_BYTES = 128 << 20  # of all of them, and of what is read for the bandwidth
_HIDDEN, _INNER, _HEADS, _KV_HEADS, _HEAD_DIM, _LENGTH = 1024, 4096, 16, 4, 64, 2048
_FORMAT = 2
MEASURE_S = 120.0  # that another process's measurement is waited for
_WEIGHTS = 500_000_000  # of the smallest model that is asked about


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured.

    Parameters
    ----------
    processor
        The CPU, or the GPU if there is one.
    device
        ``cpu`` or ``cuda``: where `rates` were measured.
    threads
        Of a pass over many tokens, on a CPU.
    memory_bytes
        Of the GPU; 0 on a CPU, whose memory is looked at whenever it is asked for.
    bytes_per_s
        That are read from memory.
    rates
        By precision.
    """

    processor: str
    device: str
    threads: int
    memory_bytes: int
    bytes_per_s: float
    rates: dict[str, Rates]


def remembered(device: str = "auto", most: int = 0) -> Machine | None:
    """What was measured of this machine before, with this torch; None where nothing was, or it cannot be read.

    Parameters
    ----------
    device, most
        The settings `device` and `threads`.
    """
    file = _file(device, most)
    try:
        values = projectfile.read_json(file)
        return None if values is None else _read(values)
    except (ProjectFileError, AttributeError, KeyError, TypeError, ValueError) as error:
        _log.warning("measuring again what %s should hold (%s)", file, type(error).__name__)
        return None


def remember(machine: Machine, device: str = "auto", most: int = 0) -> Machine:
    """Keep what was measured in the person's cache folder, as far as that can be written."""
    with contextlib.suppress(OSError):
        private.write_text(_file(device, most), json.dumps(asdict(machine), indent=2) + "\n")
    return machine


@contextlib.contextmanager
def alone(device: str = "auto", most: int = 0) -> Iterator[None]:
    """Wait a while until no other process measures this: two at once would both remember half of the speed."""
    with contextlib.ExitStack() as locked:
        with contextlib.suppress(OSError):  # where nothing can be kept, each measures for itself
            locked.enter_context(private.alone(_file(device, most).with_suffix(".lock"), MEASURE_S))
        yield


def _read(values: dict[str, Any]) -> Machine:
    rates = {name: _read_rates(given) for name, given in values["rates"].items()}
    fields: dict[str, Any] = values | {"rates": rates}
    machine = Machine(**fields)
    if not (rates and machine.bytes_per_s > 0 and machine.device in ("cpu", "cuda")):
        raise ValueError("this is no machine")
    return machine


def _read_rates(given: dict[str, Any]) -> Rates:
    fields: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in given.items()}
    return Rates(**fields)


def _file(device: str, most: int) -> Path:
    import platformdirs

    place = _place(device)
    parts = _FORMAT, torch.__version__, processor(place), place, most or threads.CORES
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("guiderail") / "machine" / f"{key}.json"


def processor(device: str = "auto") -> str:
    """The name of what runs models here: the GPU, or the CPU."""
    if _place(device) == "cuda":
        return torch.cuda.get_device_name(0)
    capability = torch.backends.cpu.get_cpu_capability()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name} ({capability})"


def _place(device: str) -> str:
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


@torch.inference_mode()
def measure(device: str = "auto") -> Machine:
    """Time everything; takes some seconds, and up to half a gigabyte of memory meanwhile.

    Parameters
    ----------
    device
        The setting: "auto" measures the GPU where there is one.
    """
    device = _place(device)
    generator = torch.Generator(device).manual_seed(0)
    weight = torch.randn(_OUT, _IN, generator=generator, device=device)
    rates = {name: _rates(name, weight) for name in precisions(device)}
    machine = Machine(
        processor=processor(device),
        device=device,
        threads=threads.allowed(),
        memory_bytes=torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0,
        bytes_per_s=_bandwidth(device),
        rates=rates,
    )
    memory.release_memory()
    return machine


def precisions(device: str) -> tuple[str, ...]:
    """The precisions that this version offers on a device of this machine."""
    if device == "cuda":
        return ("bfloat16",) if torch.cuda.is_bf16_supported() else ("float16",)
    return ("float32", "bfloat16", *(("int8",) if int8_is_possible() else ()))


def _rates(precision: str, weight: torch.Tensor) -> Rates:
    int8 = precision == "int8"
    dtype = torch.float32 if int8 else getattr(torch, precision)  # of activations
    lean = weight.device.type == "cpu"
    return Rates(
        products=tuple(_products(precision, weight, dtype)),
        attention=tuple(_attention(rows, dtype, weight.device) for rows in (1, ROWS[-1])),
        activations=_activations(dtype, weight.device),
        layer_s=tuple(_layer_seconds(rows, int8=int8, dtype=dtype) if lean else _launches(dtype) for rows in (1, 8)),
    )


def _products(precision: str, weight: torch.Tensor, dtype: torch.dtype) -> Iterator[float]:
    """Multiply-adds a second at each number of `ROWS`, over so many matrices that none of them stays in a cache."""
    layout = _layout(is_lean=weight.device.type == "cpu", int8=precision == "int8", dtype=dtype)
    source = weight if layout is Int8 else weight.to(dtype)
    size = source.numel() * (1 if layout is Int8 else dtype.itemsize)
    # A third of a model's weights are in finer matrices.
    matrices = [fuse([source], layout if i % 3 else fine(layout)) for i in range(max(3, _BYTES // size))]
    for rows in ROWS:
        x = torch.ones(rows, _IN, dtype=dtype, device=weight.device)
        if rows >= threads.WIDE:  # arithmetic takes far longer than reading, wherever the matrix lies
            matrices = matrices[:3]
        with _threads(rows, weight.device):
            seconds = _best([lambda matrix=matrix, x=x: matrix(x) for matrix in matrices], weight.device)
        yield rows * source.numel() / seconds


def _attention(rows: int, dtype: torch.dtype, device: torch.device) -> float:
    """Multiply-adds a second of so many tokens among many, in several layers in turns."""
    layers = 8
    shape = (layers, _KV_HEADS, _LENGTH, _HEAD_DIM)
    keys, values = (torch.full(shape, number, dtype=dtype, device=device) for number in (0.1, 0.2))
    query = torch.full((_HEADS, rows, _HEAD_DIM), 0.1, dtype=dtype, device=device)
    mask = None if rows == 1 else torch.ones(rows, _LENGTH, dtype=torch.bool, device=device)
    works = [lambda k=k, v=v: attend(query, k, v, mask, None) for k, v in zip(keys, values, strict=True)]
    with _threads(rows, device):
        return 2 * rows * _LENGTH * _HEADS * _HEAD_DIM / _best(works, device)


def _activations(dtype: torch.dtype, device: torch.device) -> float:
    """Numbers a second that a layer's small operations go through, in a wide pass."""
    rows = ROWS[-1]
    x = torch.full((rows, _HIDDEN), 0.5, dtype=dtype, device=device)
    both = torch.full((rows, 2 * _INNER), 0.5, dtype=dtype, device=device)
    weight = torch.ones(_HIDDEN, dtype=dtype, device=device)

    def work() -> None:
        normed = rms_norm(x, (_HIDDEN,), weight, 1e-6)
        torch.addcmul(normed * x, normed.roll(_HEAD_DIM // 2, -1), x)
        rms_norm(x + normed, (_HIDDEN,), weight, 1e-6)
        gate, up = both.chunk(2, -1)
        silu(gate).mul(up)

    with _threads(rows, device):
        return rows * activations(_HIDDEN, _INNER) / _best([work], device)


def _launches(dtype: torch.dtype) -> float:
    """Seconds of a layer's operations on a GPU where each is tiny."""
    x = torch.ones(1, _HEAD_DIM, dtype=dtype, device="cuda")

    def work() -> None:
        for _ in range(20):  # about as many as a layer has
            torch.add(x, x)

    return _best([work], x.device)


class _Store:
    """Keys and values that are written nowhere: those of one layer are read for all."""

    def __init__(self, keys: torch.Tensor) -> None:
        self._keys = keys

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None: ...

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._keys, self._keys


def _layer_seconds(rows: int, *, int8: bool, dtype: torch.dtype) -> float:
    """Seconds of a layer that has next to nothing to compute."""
    model = LeanForward(_tiny(), _layout(is_lean=True, int8=int8, dtype=dtype), dtype)
    shape = model.shape
    store = _Store(torch.ones(shape.kv_heads, rows, shape.head_dim, dtype=dtype))
    ids = torch.zeros(rows, dtype=torch.int64)
    step = Step(store, slice(0, rows), rows, None if rows == 1 else torch.ones(rows, rows, dtype=torch.bool))
    with threads.taken_by(rows, _WEIGHTS):
        return _best([lambda: model(ids, ids, step, last=True)], torch.device("cpu")) / shape.layers


def _tiny() -> Checkpoint:
    """A model of 16 layers without a size worth speaking of."""
    shape = Shape(
        architecture="Qwen2ForCausalLM", vocabulary=64, hidden=64, inner=64, layers=16, heads=2, kv_heads=1,
        head_dim=32, context=64, eps=1e-6, windows=(None,) * 16, qkv_bias=True, out_bias=False, head_norm=False,
        tied=True, rope={"rope_type": "default", "rope_theta": 10000.0},
    )  # fmt: skip
    weights = {name: torch.full(size, 0.01) for name, size in shape.tensors().items()}
    return Checkpoint("a tiny model", {}, shape, weights, frequencies(shape.rope, shape.head_dim, shape.context))


def _bandwidth(device: str) -> float:
    """Bytes a second that are read from memory, by all threads."""
    numbers = torch.ones(2 * _BYTES // 4, device=device)
    place = torch.device(device)
    with _threads(threads.WIDE, place):
        return numbers.nbytes / _best([numbers.sum], place)


def _threads(rows: int, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The threads that a pass over so many tokens takes."""
    return threads.taken_by(rows, _WEIGHTS) if device.type == "cpu" else contextlib.nullcontext()


def _best(works: Sequence[Callable[[], object]], device: torch.device) -> float:
    """Seconds that one of these takes: of each its best time, over rounds in turns; the first round is for warming up.

    Where a round takes longer than there is patience for, it is the only one.
    """
    times, end = [math.inf] * len(works), 0.0
    while True:
        began = time.perf_counter()
        for index, work in enumerate(works):
            times[index] = min(times[index], _timed(work, device))
        if time.perf_counter() - began > PATIENCE_S:
            break
        if not end:
            times, end = [math.inf] * len(works), time.perf_counter() + PATIENCE_S
        elif time.perf_counter() > end:
            break
    return max(sum(times) / len(times), 1e-9)


def _timed(work: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
