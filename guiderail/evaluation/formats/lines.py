"""JSON lines as benchmarks publish them: plain, gzipped, or as Parquet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guiderail.errors import UsageError


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The records of ``.jsonl``, ``.jsonl.gz`` or ``.parquet``.

    Raises
    ------
    UsageError
        The file cannot be read, or pyarrow is missing.
    ValueError
        A line is not JSON.
    """
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path)
            return
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            for line in stream:
                if line.strip():
                    yield json.loads(line)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "Name the benchmark's own file") from error


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow", "pip install 'guiderail[parquet]'") from error
    return parquet.read_table(path).to_pylist()
