"""Tensors made from a model's files, kept on disk: the next start maps them into memory and makes nothing.

Each part of a model is a safetensors file of its own, written whole or not at all, so that two processes may write the
same at once. Its metadata has a digest of all its bytes. It is compared before the file is used: what is cut short, has
changed by a byte, or is not ours is made anew. The digest is of 64-bit sums, which are as fast as memory, one for each
32 kB; it is there for accidents. What a person's own programs write into the person's own folder is not defended
against, here as elsewhere, but can be no more than numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import torch

from guiderail import private
from guiderail.model import derived

ALIGNMENT = 64  # bytes: some of BLAS's kernels add up in another order where a matrix begins elsewhere
SMALL = 1 << 16  # bytes of a tensor that is copied
_BLOCK = 1 << 15  # bytes that are summed up
_PIECE = 1 << 20  # bytes read at a time: they stay in a core's cache
_NO_DIGEST = "0" * 64
_HEADER_LIMIT = 1 << 20
_NAMES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8", torch.uint8: "U8",
    torch.int32: "I32", torch.int64: "I64",
}  # fmt: skip
_TURNED = ".t"  # ends the name of a matrix that is stored input by input

Tensors = dict[str, torch.Tensor]


class TensorCache:
    """The parts of one model, laid out in one way.

    Parameters
    ----------
    files
        What they are made from.
    how
        All that decides, beside the files' content, what is made.
    size
        Bytes of all parts together, about.
    """

    def __init__(self, files: Sequence[Path], how: Mapping[str, Any], size: int) -> None:
        self._files, self._size = files, size
        self.folder = derived.folder_of(files, how)
        self._room: bool | None = None
        self._lock = Lock()
        if self.folder is not None:
            derived.used(self.folder)

    def get(self, name: str, make: Callable[[], Tensors]) -> Tensors:
        """The tensors of a part: mapped from its file, made by `make` and written there if there is none.

        Even then they are mapped, so that a first start takes no more memory than the others.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.safetensors"
        found = read(path)
        if found is None:
            found = make()
            if self._has_room():
                with suppress(OSError):  # the next start makes it again
                    write(path, found)
                    found = read(path) or found
        return found

    def _has_room(self) -> bool:
        with self._lock:
            if self._room is None:
                assert self.folder is not None
                self._room = derived.prepare(self.folder, self._files, self._size)
            return self._room


class NoTensorCache:
    """Used in place of a `TensorCache` where nothing is worth caching."""

    def get(self, _name: str, make: Callable[[], Tensors]) -> Tensors:
        """What `make` makes."""
        return make()


def read(path: Path) -> Tensors | None:
    """The tensors of a file, as views of it; None if there is none, or it is not as it was written."""
    from safetensors import SafetensorError, safe_open

    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would wait for a writer
            return None
        with path.open("rb") as stream:
            if not _is_ours(stream) or not _is_whole(stream, path):
                return None
        with safe_open(path, "pt") as file:
            tensors = {name: _own(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, struct.error, RecursionError):
        return None
    return {name.removesuffix(_TURNED): one.t() if name.endswith(_TURNED) else one for name, one in tensors.items()}


def write(path: Path, tensors: Tensors) -> None:
    """Write a file whole or not at all; raises OSError."""
    stored = [(name, one) if one.is_contiguous() else (name + _TURNED, one.t()) for name, one in tensors.items()]
    # Those that fill whole lines of the cache come first, so that each begins with one.
    ordered = sorted(stored, key=lambda item: (item[1].nbytes % ALIGNMENT != 0, item[0]))
    descriptor, part = tempfile.mkstemp(prefix=derived.PART, dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w+b") as file:
            head = _header(ordered, path)
            file.write(head)
            for _, one in ordered:
                file.write(memoryview(one.contiguous().view(-1).view(torch.uint8).numpy()))  # pyright: ignore[reportArgumentType]
            file.seek(len(head))
            digest = _digest(file, head)
            file.seek(0)
            file.write(head.replace(_NO_DIGEST.encode(), digest.encode()))
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _header(tensors: Sequence[tuple[str, torch.Tensor]], path: Path) -> bytes:
    """The head of a safetensors file, as long as it takes for the data to begin with a line of the cache."""
    entries: dict[str, Any] = {"__metadata__": {"digest": _NO_DIGEST, "place": _place(path)}}
    end = 0
    for name, one in tensors:
        start, end = end, end + one.nbytes
        entries[name] = {"dtype": _NAMES[one.dtype], "shape": list(one.shape), "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text


def _is_ours(stream: BinaryIO) -> bool:
    """Whether a file is a regular one that nobody else could have written."""
    state = os.fstat(stream.fileno())
    if os.name != "posix":
        return stat.S_ISREG(state.st_mode)
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & private.OTHERS & 0o022


def _is_whole(stream: BinaryIO, path: Path) -> bool:
    """Whether a file was written for this place and has not changed."""
    header = _read_header(stream)
    said = json.loads(header[8:])["__metadata__"]
    if said["place"] != _place(path) or len(said["digest"]) != len(_NO_DIGEST):
        return False
    return said["digest"] == _digest(stream, header.replace(said["digest"].encode(), _NO_DIGEST.encode()))


def _place(path: Path) -> str:
    """What distinguishes a part from those of other models and layouts."""
    return "/".join(path.parts[-3:])


def _read_header(stream: BinaryIO) -> bytes:
    """The head of a file, after its length; leaves the stream at the data."""
    stream.seek(0)
    size = stream.read(8)
    (length,) = struct.unpack("<Q", size)
    if length > _HEADER_LIMIT:
        raise ValueError("this is no head of ours")
    return size + stream.read(length)


def _digest(stream: BinaryIO, header: bytes) -> str:
    """The digest of a header without one, and of all that comes next in a stream."""
    found = hashlib.sha256(header)
    buffer = np.empty(_PIECE, dtype=np.uint8)
    while count := stream.readinto(buffer):  # pyright: ignore[reportAttributeAccessIssue]  # a buffered reader has it
        whole = count // _BLOCK * _BLOCK
        found.update(buffer[:whole].view(np.int64).reshape(-1, _BLOCK // 8).sum(1).tobytes())
        found.update(buffer[whole:count].tobytes())
    return found.hexdigest()


def _own(tensor: torch.Tensor) -> torch.Tensor:
    """A view of a file where that pays: a small one would keep all of the file in memory."""
    return tensor.clone() if tensor.nbytes < SMALL or tensor.data_ptr() % ALIGNMENT else tensor
