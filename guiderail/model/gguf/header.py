"""The head of a GGUF file: its metadata and the list of its tensors, read within bounds.

The package `gguf` has a reader too. It makes an array object of every string, which takes half a minute for a
vocabulary of 150,000, and believes every count and offset that a file states. So the head is read here; names, types
and block sizes, and the values of quantised blocks (`weights`), come from the package.
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from guiderail.model.errors import ModelFolderError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32  # where a file states none

# No published model comes near these; they keep a hostile file from costing more than it weighs.
MOST_KEYS = 4096
MOST_TENSORS = 65_536
MOST_ELEMENTS = 1 << 22  # of all arrays together: a vocabulary has its tokens, types, scores and merges
LONGEST_STRING = 1 << 24  # bytes
MOST_DIMENSIONS = 4
MOST_NUMBERS = 1 << 40  # in one tensor

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_NAME = re.compile(rb"[\w.\-/:+ ]{1,256}", re.ASCII)
_LENGTH = struct.Struct("<Q")


class GgufError(ModelFolderError):
    """A GGUF file cannot be used: it is damaged, incomplete, or holds what is not supported."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file.

    Parameters
    ----------
    name
        llama.cpp's, e.g. ``blk.0.attn_q.weight``.
    shape
        As torch has it: the longest stride first.
    kind
        The number of its type (`gguf.GGMLQuantizationType`).
    start, size
        Its bytes in the file.
    path
        The file.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    size: int
    path: Path

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What the head of a file says.

    Parameters
    ----------
    path
        The file.
    metadata
        Values by key; arrays are lists, strings are bytes.
    tensors
        By name.
    """

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, Entry]

    def text(self, key: str, default: str = "") -> str:
        """A string of the metadata."""
        value = self.metadata.get(key, default)
        if isinstance(value, str):
            return value
        if not isinstance(value, bytes):
            raise damaged(self.path, f"{key} is not a string")
        return value.decode(errors="replace")

    def number(self, key: str, default: int | None = None, *, most: int = 1 << 31) -> int:
        """A whole number of the metadata, from 0 to `most`; without a default the file must have it."""
        value = self.metadata.get(key, default)
        if value is None:
            raise damaged(self.path, f"it does not state {key}")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise damaged(self.path, f"{key} is {str(value)[:40]}")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A number of the metadata that is finite; without a default the file must have it."""
        value = self.metadata.get(key, default)
        if value is None:
            raise damaged(self.path, f"it does not state {key}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
            raise damaged(self.path, f"{key} is {str(value)[:40]}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """A boolean of the metadata."""
        return bool(self.metadata.get(key, default))

    def array(self, key: str) -> list[Any]:
        """An array of the metadata; empty where there is none."""
        value = self.metadata.get(key, [])
        if not isinstance(value, list):
            raise damaged(self.path, f"{key} is not an array")
        return value


def read_header(path: Path) -> Header:
    """Read the head of one file.

    Raises
    ------
    GgufError
        If it is no GGUF file of a known version, is cut short, or states what cannot be.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise GgufError(f"{path} is not a GGUF file", "Name a file that ends in .gguf")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data).header()
    except (OSError, ValueError) as error:
        raise GgufError(f"{path} cannot be read ({error})", "Check the file and its permissions") from error
    except MemoryError as error:
        raise damaged(path, "its head does not fit in memory") from error


def damaged(path: Path, why: str) -> GgufError:
    """The error for a file that contradicts itself."""
    return GgufError(f"{path} is damaged: {why}", "Fetch the file again")


class _Reader:
    """Walks through a file's head; every read is inside the file."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.size, self.position = path, data, len(data), 4
        self.elements = 0

    def header(self) -> Header:
        self._check_version()
        tensors, keys = self._scalar("Q"), self._scalar("Q")
        if tensors > MOST_TENSORS or keys > MOST_KEYS:
            raise damaged(self.path, f"it states {tensors} tensors and {keys} keys")
        metadata = self._metadata(keys)
        stated = [self._tensor() for _ in range(tensors)]
        return Header(self.path, metadata, self._placed(stated, metadata))

    def _check_version(self) -> None:
        version = self._scalar("I")
        if version in VERSIONS:
            return
        if version and not version & 0xFFFF:
            raise GgufError(
                f"{self.path} was written for big-endian machines", "Fetch the file for little-endian machines"
            )
        known = " and ".join(map(str, VERSIONS))
        raise GgufError(
            f"{self.path} is GGUF version {version}; known are {known}",
            "Fetch a newer file of the model, or install a newer guiderail",
        )

    def _metadata(self, count: int) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        for _ in range(count):
            key = self._name("key")
            if key in metadata:
                raise damaged(self.path, f"it states {key} twice")
            metadata[key] = self._value(self._scalar("I"))
        return metadata

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._name("tensor")
        dimensions = self._scalar("I")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise damaged(self.path, f"{name} has {dimensions} dimensions")
        shape = tuple(self._scalar("Q") for _ in range(dimensions))[::-1]
        if not 1 <= prod(shape) <= MOST_NUMBERS:
            raise damaged(self.path, f"{name} has the shape {shape}")
        return name, shape, self._scalar("I"), self._scalar("Q")

    def _placed(
        self, stated: list[tuple[str, tuple[int, ...], int, int]], metadata: dict[str, Any]
    ) -> dict[str, Entry]:
        alignment = metadata.get("general.alignment", ALIGNMENT)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
            raise damaged(self.path, f"general.alignment is {str(alignment)[:40]}")
        base = -(-self.position // alignment) * alignment
        found: dict[str, Entry] = {}
        for name, shape, kind, offset in stated:
            size = _bytes_of(self.path, name, shape, kind)
            if name in found:
                raise damaged(self.path, f"it holds {name} twice")
            if offset % alignment or base + offset + size > self.size:
                self._refuse_place(name, offset, alignment, base + offset + size)
            found[name] = Entry(name, shape, kind, base + offset, size, self.path)
        self._check_apart(found)
        return found

    def _check_apart(self, found: dict[str, Entry]) -> None:
        """Refuse tensors that share bytes: a small file could otherwise describe any number of layers."""
        entries = sorted(found.values(), key=lambda entry: entry.start)
        for one, other in itertools.pairwise(entries):
            if one.start + one.size > other.start:
                raise damaged(self.path, f"{one.name} and {other.name} lie in the same place")

    def _refuse_place(self, name: str, offset: int, alignment: int, end: int) -> None:
        if offset % alignment:
            raise damaged(self.path, f"{name} lies at {offset}, which is no multiple of {alignment}")
        raise GgufError(
            f"{self.path} is cut short: {name} would end at byte {end} of {self.size}", "Fetch the file again"
        )

    def _need(self, size: int) -> int:
        """The offset of the next `size` bytes, which are consumed."""
        start = self.position
        if size > self.size - start:
            raise GgufError(f"{self.path} is cut short at byte {self.size}", "Fetch the file again")
        self.position = start + size
        return start

    def _scalar(self, code: str) -> Any:
        form = "<" + code
        return struct.unpack_from(form, self.data, self._need(struct.calcsize(form)))[0]

    def _name(self, what: str) -> str:
        name = self._string()
        if not _NAME.fullmatch(name):
            raise damaged(self.path, f"a {what} is called {name[:40]!r}")
        return name.decode()

    def _string(self) -> bytes:
        length = self._scalar("Q")
        if length > LONGEST_STRING:
            raise damaged(self.path, f"a string of {length} bytes")
        start = self._need(length)
        return self.data[start : start + length]

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(self._scalar("I"), self._scalar("Q"))
        if kind not in _SCALARS:
            raise damaged(self.path, f"a value of the unknown type {kind}")
        return self._scalar(_SCALARS[kind])

    def _array(self, kind: int, count: int) -> list[Any]:
        self.elements += count
        if self.elements > MOST_ELEMENTS:
            raise damaged(self.path, f"an array of {count} values")
        if kind == _STRING:
            return self._strings(count)
        if kind not in _SCALARS:
            raise damaged(self.path, f"an array of the unknown type {kind}")
        form = f"<{count}{_SCALARS[kind]}"
        return list(struct.unpack_from(form, self.data, self._need(struct.calcsize(form))))

    def _strings(self, count: int) -> list[bytes]:
        """Many strings, in a loop as tight as Python allows: it takes most of the time of reading a head."""
        data, size, position, unpack = self.data, self.size, self.position, _LENGTH.unpack_from
        found: list[bytes] = []
        for _ in range(count):
            start = position + 8
            if start > size:
                self._need(size)
            position = start + unpack(data, position)[0]
            if position > size:
                self._need(size)
            found.append(data[start:position])
        self.position = position
        return found


def _bytes_of(path: Path, name: str, shape: tuple[int, ...], kind: int) -> int:
    """The bytes of a tensor of this shape and type."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (KeyError, ValueError):
        raise GgufError(
            f"{path}: {name} has the unknown type {kind}", "Fetch a file of another type, such as Q8_0 or Q4_K_M"
        ) from None
    if shape[-1] % block:
        raise damaged(path, f"{name} has rows of {shape[-1]}, no multiple of {block}")
    return prod(shape) // block * size
