"""How much memory a model needs, and how much there is."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.errors import GuiderailError
from guiderail.model.hybrid import most_checkpoints

if TYPE_CHECKING:
    from guiderail.model.info import ModelInfo

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
TABLE_BYTES = 2  # of a number in the table of embeddings beside 8-bit matrices, which are not looked up in
CACHE_BYTES = DTYPE_BYTES | {"int8": 4}  # of a number among the keys and values
CACHE_TOKENS = 4096  # what is counted for the key-value cache: a long prompt and its completion
LARGE = 50_000_000  # parameters from which on what loading leaves over is worth a tenth of a second to give back
HEADROOM = 1.1  # activations, the allocator's slack, the interpreter
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


class NotEnoughMemoryError(GuiderailError):
    """A model does not fit in the memory that is free."""


def needed(info: ModelInfo, dtype: str, *, packed: bool = False) -> int:
    """Bytes to run a model: its weights, the keys and values of up to `CACHE_TOKENS` tokens, and the checkpoints.

    Of a tied table a packed model (`matrix`) has a copy. Beside 8-bit matrices there is a table in 16 bit, and a model
    that runs through transformers' modules is read in 16 bit before it is quantised.
    """
    tokens = min(info.context_length, CACHE_TOKENS)
    weights = DTYPE_BYTES[dtype] * (info.parameters + (info.tied if packed else 0))
    if dtype == "int8":
        table = TABLE_BYTES * info.table - (0 if info.tied else info.table)  # an untied one is among the parameters
        weights += table if _is_lean(info) else info.parameters
    state = 4 * info.state_width
    cache = CACHE_BYTES[dtype] * info.cache_width * tokens + most_checkpoints(state) * state
    return int(HEADROOM * (weights + cache))


def needed_on(device: str, info: ModelInfo, dtype: str) -> int:
    """Bytes to run a model on a device of this machine, as it is laid out there."""
    return needed(info, dtype, packed=_is_packed(info, device, dtype))


def available(device: str) -> int | None:
    """Bytes free on `device` (``cpu`` or ``cuda``), or None where the system does not say."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    limits = [limit for limit in (_free_in_system(), _free_in_cgroup()) if limit is not None]
    return min(limits, default=None)


def check(info: ModelInfo, device: str, dtype: str) -> None:
    """Refuse a model that does not fit, before anything is read.

    Raises
    ------
    NotEnoughMemoryError
        Saying how much is needed, how much is free, and what would fit.
    """
    free = available(device)
    need = needed_on(device, info, dtype)
    if free is None or need <= free:
        return
    place = "this GPU" if device == "cuda" else "this machine"
    raise NotEnoughMemoryError(
        f"{info.name} needs {readable(need)} in {dtype}, and {readable(free)} are free on {place}",
        _what_fits(info, dtype, free),
    )


def release_memory() -> None:
    """Give the memory that loading took and no longer needs back to the system."""
    gc.collect()
    with suppress(AttributeError, OSError):  # glibc only; the others give it back by themselves
        ctypes.CDLL(None).malloc_trim(0)


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def _is_packed(info: ModelInfo, device: str, dtype: str) -> bool:
    """Whether the model's weights are going to be packed."""
    from guiderail.model.matrix import packing_pays

    return device == "cpu" and dtype == "float32" and _is_lean(info) and packing_pays()


def _is_lean(info: ModelInfo) -> bool:
    """Whether the model runs through the lean pass on a CPU."""
    from guiderail.model.shape import ARCHITECTURES

    return info.architecture in ARCHITECTURES.values()


def _what_fits(info: ModelInfo, dtype: str, free: int) -> str:
    half = needed(info, "bfloat16")
    if DTYPE_BYTES[dtype] > 2 and half <= free:
        return f"In bfloat16 it fits ({readable(half)}): --dtype bfloat16"
    largest = free / HEADROOM / 2 / 1e9
    return f"Choose a model of up to about {largest:.1f} billion parameters in bfloat16, or free some memory"


def readable(size: float) -> str:
    """A size in decimal units, e.g. ``1.3 GB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _free_in_system() -> int | None:
    if _MEMINFO.is_file():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _free_in_cgroup() -> int | None:
    """What a container's limit leaves; page cache that can be dropped counts as free."""
    for limit, used, dropped in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((_CGROUP / limit).read_text())
            taken = int((_CGROUP / used).read_text())
        except (OSError, ValueError):  # no such group, or "max"
            continue
        return max(0, most - taken + _statistic((_CGROUP / limit).parent / "memory.stat", dropped))
    return None


def _statistic(path: Path, name: str) -> int:
    try:
        return int(dict(line.split() for line in path.read_text().splitlines()).get(name, 0))
    except (OSError, ValueError):
        return 0
