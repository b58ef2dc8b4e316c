"""The tokenised corpus on disk: one array of uint16 and a table of files.

Fill-in-the-middle is not packed: it is drawn anew each time a file is read (`training.rows`), which keeps the
array small enough to carry to another machine and makes no two epochs alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.corpus import Document
from training.tokenizer import mentions_special

BATCH = 512


@dataclass(frozen=True, slots=True)
class PackedFile:
    """Where the tokens of one file lie."""

    package: str
    path: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A tokenised corpus; files of one package stand next to each other."""

    tokens: np.ndarray
    files: list[PackedFile]


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def pack(documents: Iterable[Document], tokenizer: Tokenizer, stem: Path) -> int:
    """Write `<stem>.bin` and `<stem>.files.jsonl`; returns the number of tokens."""
    position = 0
    usable = (document for document in documents if not mentions_special(document.text))
    with stem.with_suffix(".bin").open("wb") as tokens, stem.with_suffix(".files.jsonl").open("w") as table:
        for batch in _batches(usable):
            encodings = tokenizer.encode_batch_fast([document.text for document in batch])
            for document, encoding in zip(batch, encodings, strict=True):
                ids = np.asarray(encoding.ids, dtype=np.uint16)
                tokens.write(ids.tobytes())
                row = [document.package, document.path, position, position + len(ids)]
                table.write(json.dumps(row) + "\n")
                position += len(ids)
    return position


def load_packed(stem: Path) -> Packed:
    """Read a packed corpus back, tokens mapped from disk."""
    lines = stem.with_suffix(".files.jsonl").read_text().splitlines()
    files = [PackedFile(*json.loads(line)) for line in lines]
    return Packed(np.memmap(stem.with_suffix(".bin"), dtype=np.uint16, mode="r"), files)
