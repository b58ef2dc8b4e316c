"""A model in one GGUF file, or in the shards ``NAME-00001-of-00003.gguf`` of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guiderail.model.gguf.header import Entry, GgufError, Header, damaged, read_header

SUFFIX = ".gguf"
MOST_SHARDS = 1000
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The heads of a model's files, as one.

    Parameters
    ----------
    paths
        Its files; the first has the metadata.
    header
        The first file's metadata, and the tensors of all.
    """

    paths: tuple[Path, ...]
    header: Header

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture, e.g. ``qwen2``."""
        return self.header.text("general.architecture")

    @property
    def tensors(self) -> dict[str, Entry]:
        """All its tensors by name."""
        return self.header.tensors

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the metadata under the architecture's own prefix."""
        return self.header.metadata.get(f"{self.architecture}.{key}", default)

    def number(self, key: str, default: int | None = None, *, most: int = 1 << 24) -> int:
        """A whole number under the architecture's own prefix; see `Header.number`."""
        return self.header.number(f"{self.architecture}.{key}", default, most=most)

    def real(self, key: str, default: float | None = None) -> float:
        """A finite number under the architecture's own prefix; see `Header.real`."""
        return self.header.real(f"{self.architecture}.{key}", default)


def shard_paths(path: Path) -> tuple[Path, ...]:
    """The files of a model: the file itself, or all shards if it is one of them.

    Raises
    ------
    GgufError
        If shards are missing, or the name states too many.
    """
    found = _SHARD.fullmatch(path.name)
    if found is None:
        return (path,)
    stem, number, count = found[1], int(found[2]), int(found[3])
    if not 1 <= number <= count <= MOST_SHARDS:
        raise GgufError(f"{path} has a name that no shard can have", "Restore its original name, or fetch it again")
    paths = tuple(path.with_name(f"{stem}-{n:05}-of-{count:05}{SUFFIX}") for n in range(1, count + 1))
    missing = [shard.name for shard in paths if not shard.is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise GgufError(f"Shards are missing in {path.parent}: {shown}", "Fetch the model again")
    return paths


def open_file(path: Path) -> GgufFile:
    """Read the heads of a model's files; the last one read is remembered (`forget`).

    Raises
    ------
    GgufError
        If one of them cannot be used, or they do not belong together.
    """
    paths = shard_paths(path)
    try:
        stamps = tuple((status.st_mtime_ns, status.st_size) for status in (p.stat() for p in paths))
    except OSError as error:
        raise GgufError(f"{path} cannot be read ({error.strerror})", "Check the file and its permissions") from error
    return _open(paths, stamps)


def forget() -> None:
    """Forget the cached heads: a vocabulary takes tens of megabytes."""
    _open.cache_clear()


@lru_cache(maxsize=1)
def _open(paths: tuple[Path, ...], _stamps: tuple[tuple[int, int], ...]) -> GgufFile:
    first, *others = (read_header(path) for path in paths)
    stated = first.number("split.count", 1)
    if stated > 1 and stated != len(paths):
        remedy = f"Name its files NAME-00001-of-{stated:05}{SUFFIX} and so on"
        raise GgufError(f"{paths[0]} is one of {stated} shards, but its name does not say so", remedy)
    tensors = dict(first.tensors)
    for other in others:
        if twice := tensors.keys() & other.tensors.keys():
            raise damaged(other.path, f"{min(twice)} is in another shard too")
        tensors |= other.tensors
    if not first.text("general.architecture"):
        raise damaged(paths[0], "it names no architecture")
    if not tensors:
        raise GgufError(f"{paths[0]} holds no tensors", "Choose a file with a model's weights")
    return GgufFile(paths, Header(paths[0], first.metadata, tensors))
