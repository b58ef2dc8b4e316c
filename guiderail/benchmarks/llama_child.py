"""The child process that holds llama.cpp: it reads requests, a line of JSON each, and answers in lines.

A build is a Python package: xllamacpp, which has llama.cpp's server in it, or llama-cpp-python, which has the library.
Imported by name only here, so that a build for this CPU can stand in a folder of its own (`--llama-cpp-build`).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Rival(Protocol):
    """A model in llama.cpp."""

    def system(self) -> str:
        """What it was built for."""
        ...

    def decode(self, ids: Sequence[int], tokens: int, reuse: int = 0) -> tuple[list[int], int]:
        """Greedy tokens after `ids`, if they can be had at no cost, and how many ids were encoded."""
        ...

    def passes(self, ids: Sequence[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        """Seconds of passes over so many tokens after `ids`, a list for each width."""
        ...


class Embedded:
    """llama.cpp's server in this process, by xllamacpp. Parameters as of `Library`."""

    def __init__(self, path: str, threads: int, context: int, exact: bool = False) -> None:
        self._x: Any = importlib.import_module("xllamacpp")
        p = self._x.CommonParams()
        p.model.path, p.n_ctx, p.n_parallel, p.verbosity, p.warmup = path, context, 1, 0, True
        p.n_gpu_layers = 0
        p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
        if exact:
            p.cache_type_k = p.cache_type_v = self._x.ggml_type.GGML_TYPE_F32
            p.flash_attn_type = self._x.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        p.cache_ram_mib = 0  # a prompt of an earlier round must not come back
        self._server = self._x.Server(p)

    def system(self) -> str:
        """What it was built for, as it says itself."""
        return str(self._x.get_system_info()).strip(" |")

    def decode(self, ids: Sequence[int], tokens: int, reuse: int = 0) -> tuple[list[int], int]:
        """See `Library.decode`; without the tokens, which cost it a sort of the whole vocabulary each."""
        return [], self._ask(ids, tokens, reuse)["timings"]["prompt_n"]

    def named(self, ids: Sequence[int], tokens: int) -> list[int]:
        """The tokens that `decode` decodes."""
        found = self._ask(ids, tokens, 0, logprobs=1)
        return [token["id"] for token in found["choices"][0]["logprobs"]["content"]]

    def passes(self, ids: Sequence[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        """See `Library.passes`; the scores of the last token alone are computed."""
        self._ask(ids, 1, 1)
        return [[self._pass(ids, rows, number) for number in range(rounds)] for rows in widths]

    def _pass(self, ids: Sequence[int], rows: int, number: int) -> float:
        more = [ids[(number + rows) % len(ids)], *ids[1:rows]]  # each begins with another token: all rows are new
        return self._ask([*ids, *more], 1, 1)["timings"]["prompt_ms"] / 1000

    def _ask(self, ids: Sequence[int], tokens: int, reuse: int, **more: Any) -> dict[str, Any]:
        request = {"prompt": list(ids), "n_predict": tokens, "temperature": 0.0, "ignore_eos": True}
        # A reuse of one token stands for the common beginning alone: nothing is looked for further left.
        request |= {"cache_prompt": reuse > 0, "n_cache_reuse": reuse if reuse > 1 else 0}
        result = self._server.handle_completions({**request, **more})
        return result if isinstance(result, dict) else json.loads(result)


def prepare(build: str | None) -> bool:
    """Have a folder's build be the one that is imported; whether it is the library, not the server.

    Raises
    ------
    ImportError
        There is none in the folder: the installed one must not be measured in its place.
    """
    if build is None:
        return False
    if not any((Path(build) / package).is_dir() for package in ("llama_cpp", "xllamacpp")):
        raise ImportError(f"there is no build of llama.cpp in {build}")
    sys.path.insert(0, build)
    return (Path(build) / "llama_cpp").is_dir()


def rival(path: str, threads: int, context: int, exact: bool, build: str | None) -> Rival:
    """The model in the build of a folder, or in the one that is installed."""
    if not prepare(build):
        return Embedded(path, threads, context, exact)
    from guiderail.benchmarks.llama_library import Library

    return Library(path, threads, context, exact)


def _serve(options: dict[str, Any]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp may print: the answers have a stream of their own
    start = time.perf_counter()
    found = rival(**options)
    _say(answers, {"load_s": time.perf_counter() - start, "system": found.system()})
    for line in sys.stdin:
        _say(answers, _answer(found, **json.loads(line)))
    os._exit(0)  # the server's own shutdown may hang


def _answer(found: Any, ids: list[int], *, tokens: int = 1, reuse: int = 0, named: bool = False, **widths: Any) -> Any:
    if scored := widths.get("scored"):
        np.save(scored, found.scores(ids, widths["rows"]))
        return scored
    if widths.get("to_line_end"):
        return found.line(ids, tokens)
    if widths:
        return found.passes(ids, **widths)
    if named and hasattr(found, "named"):
        return found.named(ids, tokens)
    start = time.perf_counter()
    out, encoded = found.decode(ids, tokens, reuse)
    seconds = time.perf_counter() - start
    return out if named else [seconds, encoded]


def _say(answers: Any, said: Any) -> None:
    print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
