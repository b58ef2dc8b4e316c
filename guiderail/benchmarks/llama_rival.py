"""llama.cpp beside guiderail's precisions, given the same ids (`guiderail eval precision --rival`)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.benchmarks.engines import ROUNDS, ROWS
from guiderail.benchmarks.llama_cpp import LlamaCpp, fastest, type_of
from guiderail.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

CONTEXT = 2048  # tokens


@dataclass(frozen=True, slots=True)
class LlamaRival:
    """A GGUF file in llama.cpp; see `guiderail.evaluation.studies.precision.Rival`."""

    label: str
    server: LlamaCpp

    def speed(self, ids: Sequence[int]) -> dict[str, Any]:
        """What it takes to load, and how fast it is."""
        prompt = list(ids)
        first = statistics.median(self.server.decode(prompt, 1) for _ in range(ROUNDS))
        passes = self.server.passes(prompt, ROWS, ROUNDS)
        widths = {str(rows): 1000 * statistics.median(taken[1:]) for rows, taken in zip(ROWS, passes, strict=True)}
        speed = {"prefill_tokens_per_s": len(prompt) / first, "ms_of_rows": widths}
        return speed | {"load_s": self.server.load_s, "memory_mb": self.server.memory() / 1e6}

    def scores(self, ids: Sequence[int], rows: int) -> np.ndarray:
        """Scores after each of the last ids."""
        return self.server.scores(list(ids), rows)

    def line(self, ids: Sequence[int], tokens: int) -> str:
        """The rest of a line."""
        return self.server.line(list(ids), tokens)


@contextmanager
def rival(file: Path, threads: int, build: str | None) -> Iterator[LlamaRival]:
    """A file in a build of llama.cpp that is a library.

    Raises
    ------
    UsageError
        The build is a server, whose scores cannot be had.
    """
    if build is None or not (Path(build) / "llama_cpp").is_dir():
        raise UsageError("llama.cpp's scores need its library", "Name a folder with it: --llama-cpp-build")
    waiting = fastest(file, threads, build, list(range(300, 364)))
    server = LlamaCpp(file, waiting, CONTEXT, build=build)
    try:
        yield LlamaRival(f"llama.cpp {type_of(file)}", server)
    finally:
        server.close()
