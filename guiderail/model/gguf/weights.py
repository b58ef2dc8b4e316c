"""The weights of a GGUF file, tensor by tensor, under transformers' names and in its layout.

llama.cpp's converter changes some of them: the rows of Llama's query and key projections are interleaved for its rotary
embedding, and Gemma's norms have their one added. Both are undone here. Blocks of quantised numbers are unpacked by the
package `gguf`, in pieces that stay in a core's cache and by as many threads as there are.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from guiderail.model.gguf.file import GgufFile
from guiderail.model.gguf.header import Entry, GgufError, damaged

if TYPE_CHECKING:
    from collections.abc import Callable

# Numbers unpacked at a time: half a megabyte stays in a core's cache, and in the allocator's hands. Of twice as much
# every piece is memory that the system gives anew, which takes as long as the unpacking.
PIECE = 1 << 17
GROUP = 16  # rows that the package unpacks in one step
INTERLEAVED = frozenset({"llama", "granite"})  # architectures whose rotary pairs lie side by side in the file
NORM_PLUS_ONE = frozenset({"gemma", "gemma2", "gemma3"})
_SUFFIXES = (".weight", ".bias")


class GgufWeights(Mapping[str, torch.Tensor]):
    """The tensors of a file by the names that a module gives its parameters; each is read when it is asked for.

    Nothing is kept: a consumer that lays each tensor out in its own way has no weight in memory twice.

    Parameters
    ----------
    file
        The file.
    config
        Its configuration (`gguf.config.configuration`).
    names
        The parameters that are wanted; those that the file lacks are left out.
    dtype
        Floating-point type of the tensors.
    """

    def __init__(self, file: GgufFile, config: Mapping[str, Any], names: Iterator[str], dtype: torch.dtype) -> None:
        self.file, self.config, self.dtype = file, config, dtype
        self._maps: dict[Path, mmap.mmap] = {}
        self._entries = _entries(file, config["num_hidden_layers"], names)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Names in the order in which they lie in the file, which is the fastest to read in."""
        entries = self._entries
        return iter(sorted(entries, key=lambda name: (entries[name].path, entries[name].start)))

    def __contains__(self, name: object) -> bool:
        """Whether the file has a tensor, without reading it."""
        return name in self._entries

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return self._entries[name].shape

    def kind(self, name: str) -> str:
        """The type in which a tensor is stored, e.g. ``Q8_0``."""
        from gguf.constants import GGMLQuantizationType

        return GGMLQuantizationType(self._entries[name].kind).name

    def __getitem__(self, name: str) -> torch.Tensor:
        """One tensor, of its own memory.

        Raises
        ------
        GgufError
            If the file was cut short meanwhile, or its type cannot be unpacked.
        """
        entry = self._entries[name]
        out = torch.empty(entry.shape, dtype=self.dtype)
        self.read_into(name, out)
        return out

    def read_into(self, name: str, out: torch.Tensor) -> None:
        """Read one tensor into memory that is there: a contiguous tensor of its shape."""
        entry = self._entries[name]
        unpack(self.stored(name), entry.kind, out, self.file.paths[0])
        self._restore(entry, out)

    def stored(self, name: str) -> np.ndarray:
        """A tensor's bytes as they lie in the file, uint8 [n]; a view of the file."""
        entry = self._entries[name]
        if entry.path not in self._maps:
            with entry.path.open("rb") as stream:
                self._maps[entry.path] = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        if entry.start + entry.size > len(self._maps[entry.path]):
            raise GgufError(f"{entry.path} was cut short", "Fetch the file again")
        return np.frombuffer(self._maps[entry.path], np.uint8, entry.size, entry.start)

    def _restore(self, entry: Entry, out: torch.Tensor) -> None:
        """Undo in place what the converter did."""
        architecture, part = self.file.architecture, entry.name.split(".")[-2]
        if architecture in INTERLEAVED and part in ("attn_q", "attn_k"):
            heads = self.config["num_attention_heads" if part == "attn_q" else "num_key_value_heads"]
            if len(out) % (2 * heads):
                raise damaged(entry.path, f"{entry.name} has {len(out)} rows for {heads} heads")
            pairs = out.view(heads, -1, 2, *out.shape[1:])
            out.copy_(pairs.transpose(1, 2).reshape(out.shape))
        if architecture in NORM_PLUS_ONE and part.endswith("norm"):
            out.sub_(1)


def _entries(file: GgufFile, layers: int, names: Iterator[str]) -> dict[str, Entry]:
    """The file's tensors by the module's names."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    architecture = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == file.architecture)
    known = get_tensor_name_map(architecture, layers)
    found: dict[str, Entry] = {}
    for name in names:
        ours = known.get_name(name, try_suffixes=_SUFFIXES)
        if ours in file.tensors:
            found[name] = file.tensors[ours]
    return found


def unpack(stored: np.ndarray, kind: int, out: torch.Tensor, path: Path) -> None:
    """Turn stored bytes into numbers.

    Parameters
    ----------
    stored
        uint8 [n], whole blocks.
    kind
        Their type (`gguf.GGMLQuantizationType`).
    out
        Where the numbers go: contiguous, of any floating-point type.
    path
        The file, for a message.

    Raises
    ------
    GgufError
        If the type cannot be unpacked.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    own = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
    name = GGMLQuantizationType(kind).name
    if name in own:
        out.view(-1).copy_(_as_tensor(stored).view(own[name]))
        return
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    _in_pieces(stored.reshape(-1, size), out.view(-1, block), lambda blocks: _unpacked(blocks, kind, path))


def _as_tensor(stored: np.ndarray) -> torch.Tensor:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it is read-only, and only read
        return torch.from_numpy(stored)


def _unpacked(blocks: np.ndarray, kind: int, path: Path) -> np.ndarray:
    """Blocks [n, bytes] as float32 [n, numbers].

    The package takes 16 rows at a time, whatever their length: rows are made longer, so that a step is worth its call.
    """
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize

    rows = GROUP if len(blocks) % GROUP == 0 else 1
    try:
        with np.errstate(all="ignore"):  # a scale may be no number; that is the file's business
            return dequantize(blocks.reshape(rows, -1), GGMLQuantizationType(kind))
    except NotImplementedError as error:
        name = GGMLQuantizationType(kind).name
        raise GgufError(
            f"{path} holds weights of the type {name}, which cannot be unpacked",
            "Fetch a file of another type, such as Q8_0 or Q4_K_M",
        ) from error


def _in_pieces(blocks: np.ndarray, out: torch.Tensor, of: Callable[[np.ndarray], np.ndarray]) -> None:
    """Unpack blocks [n, bytes] into `out` [n, numbers], some at a time, by several threads."""
    count = max(GROUP, PIECE // out.shape[1] // GROUP * GROUP)

    def fill(start: int) -> None:
        piece = of(blocks[start : start + count])
        target = out[start : start + count]
        if out.dtype == torch.float32:  # torch would start threads of its own for it
            np.copyto(target.numpy(), piece.reshape(target.shape))
        else:
            target.copy_(torch.from_numpy(piece).view(target.shape))

    starts = range(0, len(blocks), count)
    if len(starts) == 1:
        fill(0)
        return
    with ThreadPoolExecutor(min(len(starts), torch.get_num_threads())) as pool:
        for _ in pool.map(fill, starts):
            pass


def rope_factors(file: GgufFile, name: str) -> list[float] | None:
    """What rotary frequencies are divided by (``rope_freqs``, ``rope_factors_long``, ``rope_factors_short``)."""
    entry = file.tensors.get(f"{name}.weight")
    if entry is None:
        return None
    out = torch.empty(entry.shape, dtype=torch.float32)
    with entry.path.open("rb") as stream:
        stream.seek(entry.start)
        unpack(np.frombuffer(stream.read(entry.size), np.uint8), entry.kind, out, entry.path)
    values = out.view(-1).tolist()
    if len(values) > 1 << 14 or not all(0 < value < float("inf") for value in values):
        raise damaged(entry.path, f"{entry.name} has values that are no factors")
    return values
