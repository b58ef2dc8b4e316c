"""The few decisions that depend on the machine."""

from __future__ import annotations

import time

import torch


def pick_device(wanted: str) -> torch.device:
    """The named device, or a GPU if there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The named type, or bf16 where it is the faster one (by measurement on CPUs: some only emulate it)."""
    if wanted != "auto":
        return {"bf16": torch.bfloat16, "fp32": torch.float32}[wanted]
    if device.type == "cuda" or _matmul_seconds(torch.bfloat16) < _matmul_seconds(torch.float32):
        return torch.bfloat16
    return torch.float32


def _matmul_seconds(dtype: torch.dtype) -> float:
    left, right = torch.ones(1024, 512, dtype=dtype), torch.ones(512, 1024, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return best


def settle(device: torch.device, threads: int) -> None:
    """Process-wide settings."""
    if device.type == "cpu":
        torch.set_num_threads(threads)
    else:
        torch.set_float32_matmul_precision("high")
