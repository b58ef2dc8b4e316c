"""A packed corpus small enough to carry: what a GPU machine without a network needs to train.

Token ids compress to about five bits each with LZMA told that they are pairs of bytes.  Packages go in by the
order of their hash until the limit is reached, so a smaller limit is a fair sample.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
from itertools import groupby
from pathlib import Path

from training.pack import load_packed

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 1, "pb": 1}]
LIMIT = 60 * 1024 * 1024
_MARGIN = 256 * 1024
_SLICE = 1 << 20


def write_bundle(work: Path, folder: Path, limit: int = LIMIT) -> int:
    """Write tokenizer and packed corpus to a folder of at most `limit` bytes; returns the training tokens in it."""
    shutil.copytree(work / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    _write_part(work / "packed" / "validation", folder / "validation", limit)
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "train." not in path.name)
    return _write_part(work / "packed" / "train", folder / "train", limit - used)


def _write_part(stem: Path, target: Path, limit: int) -> int:
    packed = load_packed(stem)
    groups = [list(files) for _, files in groupby(packed.files, key=lambda file: file.package)]
    groups.sort(key=lambda files: hashlib.sha256(files[0].package.encode()).digest())
    compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=FILTERS)
    rows: list[str] = []
    position = written = 0
    with target.with_suffix(".bin.xz").open("wb") as stream:
        for files in groups:
            table = sum(len(file.path) + 24 for file in files) // 2
            tokens = sum(file.stop - file.start for file in files)  # a byte each at the very most
            if written + tokens + table + _MARGIN > limit:
                break
            for file in files:
                written += stream.write(compressor.compress(packed.tokens[file.start : file.stop].tobytes()))
                length = file.stop - file.start
                rows.append(json.dumps([file.package, file.path, position, position + length]) + "\n")
                position += length
            written += table
        stream.write(compressor.flush())
    with lzma.open(target.with_suffix(".files.jsonl.xz"), "wt") as table_stream:
        table_stream.writelines(rows)
    return position


def read_bundle(folder: Path, work: Path) -> None:
    """Put tokenizer and packed corpus where the stages look for them."""
    shutil.copytree(folder / "tokenizer", work / "tokenizer", dirs_exist_ok=True)
    (work / "packed").mkdir(parents=True, exist_ok=True)
    for part in ("validation", "train"):
        for suffix in (".bin", ".files.jsonl"):
            source = folder / (part + suffix + ".xz")
            with lzma.open(source) as packed, (work / "packed" / (part + suffix)).open("wb") as plain:
                shutil.copyfileobj(packed, plain, _SLICE)
