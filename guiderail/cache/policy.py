"""Chooses whether a cache follows an edit exactly or by a patch, by what each costs on this device."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import platformdirs
import torch

from guiderail import private, projectfile
from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.model.attention import Step
from guiderail.model.threads import allowed
from guiderail.projectfile import ProjectFileError

if TYPE_CHECKING:
    from guiderail.model.model import Model

_log = logging.getLogger(__name__)

T = TypeVar("T")
Policy = Literal["auto", "exact", "patch"]

# `auto` stays exact where that is predicted to take no longer than a person notices ...
UNNOTICED_S = 0.03
# ... or where patching would not save at least this share of the time.
WORTHWHILE = 0.3
# Tokens at most that may change sides of the cursor in a patch: what they tell is theirs and their side's (measured: a
# cursor moved by ten lines leaves a divergence of 6e-4 in PSM and 9e-3 in SPM however much else is run again).
MOST_ROLES = 16
# Rotations of a key stored in 16 bit at most: each rounds again, and the error grows with their square root.
MOST_ROTATIONS = 10

_ROUNDS = 2
_PASSES = ((8, 256), (64, 256), (256, 512), (64, 1024), (256, 1024))  # (tokens run, tokens read)
_FORMAT = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What encoding takes on one device: `pass_s + tokens * (token_s + read * pair_s)` seconds."""

    pass_s: float
    token_s: float
    pair_s: float
    move_s: float  # a token moved and rotated

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for impossible measurements."""
        if not all(math.isfinite(seconds) and seconds >= 0 for seconds in astuple(self)):
            raise ValueError("these are no times")

    def encoding(self, tokens: int, length: int, *, chunk: int) -> float:
        """Seconds to run `tokens` tokens of a sequence of `length`, `chunk` at a time."""
        return -(-tokens // chunk) * self.pass_s + tokens * (self.token_s + length * self.pair_s)


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether to patch, and why."""

    patch: bool
    reason: str


def choose(exact_s: float, patch_s: float) -> Choice:
    """What `auto` does with the predicted seconds of both ways."""
    if exact_s <= UNNOTICED_S:
        return Choice(False, f"exact takes about {1000 * exact_s:.0f} ms, which nobody notices")
    if patch_s > (1 - WORTHWHILE) * exact_s:
        return Choice(False, f"a patch (about {patch_s:.2f} s) saves too little of the exact {exact_s:.2f} s")
    return Choice(True, f"about {patch_s:.2f} s instead of {exact_s:.2f} s")


def costs_of(model: Model) -> Costs:
    """The costs of `model` here: read from the user's cache folder, or measured now (a second or two) and kept."""
    return remembered(model, "", Costs, measure)


def remembered(model: Model, what: str, kind: type[T], make: Callable[[Model], T]) -> T:
    """What was measured of `model` here and kept in the user's cache folder, or is measured now by `make`.

    Parameters
    ----------
    what
        Tells measurements of one model apart.
    kind
        A dataclass of numbers and tuples of numbers; it raises ValueError or TypeError for what cannot be measured.
    """
    file = platformdirs.user_cache_path("guiderail") / "costs" / f"{_fingerprint(model)}{what}.json"
    found = _read(file, kind)
    if found is None:
        found = make(model)
        _write(file, found)
    return found


@torch.inference_mode()
def measure(model: Model) -> Costs:
    """Time a few passes of different sizes, and the moving of keys and values."""
    longest = min(1024, model.info.context_length)
    shape = CacheShape.of(model)
    buffers = KeyValueBuffers(shape, longest)
    sizes = sorted({(min(tokens, longest), min(read, longest)) for tokens, read in _PASSES})
    rows, seconds = [], []
    for tokens, read in sizes:
        times = [_timed(model, buffers, tokens, read) for _ in range(_ROUNDS + 1)]
        rows.append((1.0, tokens, tokens * read))
        seconds.append(min(times[1:]))  # the first is for warming up
    a, b, c = _fit(np.array(rows), np.array(seconds))
    return Costs(a, b, c, _move_seconds(buffers, model, longest // 2))


def _fit(rows: np.ndarray, seconds: np.ndarray) -> tuple[float, float, float]:
    """Least squares in relative terms; a factor that would be negative is left out."""
    columns = list(range(rows.shape[1]))
    weights = 1 / seconds
    while True:
        solved, *_ = np.linalg.lstsq(rows[:, columns] * weights[:, None], seconds * weights, rcond=None)
        if (solved >= 0).all():
            found = dict(zip(columns, solved.tolist(), strict=True))
            return found.get(0, 0.0), found.get(1, 0.0), found.get(2, 0.0)
        del columns[int(solved.argmin())]


def _timed(model: Model, buffers: KeyValueBuffers, tokens: int, read: int) -> float:
    keys = torch.arange(read, device=model.device)
    places = keys[-tokens:]
    ids = places % model.vocab_size
    step = Step(buffers, places, read, keys[None] <= places[:, None], query_positions=places, key_positions=keys)
    synchronize(model)
    began = time.perf_counter()
    model.forward(ids, places, step)
    synchronize(model)
    return time.perf_counter() - began


def _move_seconds(buffers: KeyValueBuffers, model: Model, tokens: int) -> float:
    """Seconds to move one token; rotating its keys takes about as long again."""
    source = torch.arange(tokens, device=model.device)
    synchronize(model)
    began = time.perf_counter()
    buffers.move(source, source + 1, lambda _, keys: keys)
    synchronize(model)
    return 2 * (time.perf_counter() - began) / tokens


def synchronize(model: Model) -> None:
    """Wait until the device has done all its work, so that it can be timed."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def _fingerprint(model: Model) -> str:
    """What the costs depend on: the model's shape, its precision and layout, the device, and the threads."""
    name = torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else allowed()
    info = model.info
    kind = info.architecture, info.parameters, model.layers, model.dtype, model.layout.__name__
    parts = (_FORMAT, torch.__version__, *kind, name)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _read(file: Path, kind: type[T]) -> T | None:
    """The costs in a file; None if it is missing or invalid."""
    try:
        values = projectfile.read_json(file)
        if values is None:
            return None
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except (ProjectFileError, ValueError, TypeError, AttributeError) as error:
        _log.warning("measuring again what %s should hold (%s)", file, type(error).__name__)
        return None


def _write(file: Path, found: Any) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be written costs one measurement a start
        private.write_text(file, json.dumps(asdict(found)))
