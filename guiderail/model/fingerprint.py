"""A fingerprint that distinguishes models' weights without reading gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from guiderail.model.info import INDEX, ModelInfo, weight_files

# Files that decide, beside the weights, what a model writes.
_DECIDING = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", INDEX)
_PIECE = 64 * 1024  # bytes
_PIECES = 512  # of each weights file: all of it up to 32 MB


def fingerprint(info: ModelInfo) -> str:
    """The commit of a hub model in safetensors; otherwise a SHA-256 over its files.

    Of a large weights file evenly spread pieces are read: two checkpoints of a training differ nearly everywhere,
    though name, size, shapes and header are the same. A change of a few tensors only may go unseen.

    Raises
    ------
    ModelFolderError
        If weights are missing.
    """
    if info.revision and not info.file:  # a commit has GGUF files of many precisions
        return info.revision
    digest = hashlib.sha256()
    for path in _gguf_files(info):
        _add_pieces(digest, path)
    if info.file:
        return f"sha256:{digest.hexdigest()}"
    for name in _DECIDING:
        path = info.folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name} {len(content)}\n".encode() + content)
    for path in weight_files(info.folder):
        _add_pieces(digest, path)
    return f"sha256:{digest.hexdigest()}"


def _gguf_files(info: ModelInfo) -> tuple[Path, ...]:
    from guiderail.model.gguf.file import shard_paths

    return shard_paths(info.file) if info.file else ()


def _add_pieces(digest: hashlib._Hash, path: Path) -> None:
    digest.update(f"{path.name} {path.stat().st_size}\n".encode())
    for piece in _pieces(path):
        digest.update(piece)


def _pieces(path: Path) -> Iterator[bytes]:
    """The whole file, or pieces of it: its first, its last and those between."""
    size = path.stat().st_size
    count = min(_PIECES, -(-size // _PIECE))
    with path.open("rb") as file:
        for index in range(count):
            file.seek((size - _PIECE) * index // (count - 1) if size > _PIECE * count else _PIECE * index)
            yield file.read(_PIECE)
