"""What decodes in the decode benchmark: guiderail, transformers' generate, and llama.cpp."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guiderail.benchmarks.llama_cpp import LlamaCpp, Waiting, export, fastest, type_of
from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.model.threads import allowed

if TYPE_CHECKING:
    from guiderail.model.model import Model

ROWS = (1, 4, 8, 16)  # widths of the passes that are timed
ROUNDS = 4
PROBE = 64  # tokens of the prompt after which llama.cpp's threads are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Something that decodes a model's weights greedily.

    Parameters
    ----------
    name
        "guiderail", "transformers" or "llama.cpp".
    device, dtype
        Where and how it computes; a quantised file's type for llama.cpp.
    decode
        From ids and a number of tokens to the seconds they took.
    tokens
        The same, to the tokens themselves.
    passes
        From ids, numbers of rows and one of rounds to the seconds of passes over so many tokens after the ids, a list
        for each width.
    load_s
        Seconds that loading took; None where the weights were made up.
    build, waiting
        Of llama.cpp: what it was built for, and its threads.
    """

    name: str
    device: str
    dtype: str
    decode: Callable[[list[int], int], float]
    tokens: Callable[[list[int], int], list[int]]
    passes: Callable[[list[int], Sequence[int], int], list[list[float]]]
    load_s: float | None = None
    build: str | None = None
    waiting: Waiting | None = None


def ours(model: Model, load_s: float | None = None) -> Engine:
    """Greedy decoding through one Session, which a server would keep as well: buffers and graphs stay."""
    session = Session(model)

    def tokens(ids: list[int], count: int) -> list[int]:
        session.rollback(session.length)
        out, logits = [], session.feed(ids)
        while True:
            assert logits is not None
            out.append(int(logits.argmax()))
            if len(out) == count:
                return out
            logits = session.feed(out[-1:])

    def passes(ids: list[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        session.rollback(session.length)
        session.feed(ids)

        def one(chain: TokenTree) -> float:
            return _seconds(lambda: session.feed_tree(chain).argmax(-1).tolist())

        return [[one(TokenTree.chain(ids[:rows])) for _ in range(rounds)] for rows in widths]

    return Engine(
        name="guiderail", device=model.device.type, dtype=model.precision, load_s=load_s, tokens=tokens, passes=passes,
        decode=lambda ids, count: _seconds(lambda: tokens(ids, count)),
    )  # fmt: skip


def theirs(model: Model) -> Engine:
    """Greedy decoding through transformers' `generate` with its defaults (sdpa attention, DynamicCache)."""
    from transformers import DynamicCache

    module = model.plain_module() if model.device.type == "cpu" else model.module  # on a GPU its weights are its own
    module.generation_config.eos_token_id = None

    @torch.inference_mode()
    def tokens(ids: list[int], count: int) -> list[int]:
        prompt = torch.tensor([ids], device=model.device)
        with _as_by_default(module):
            out = module.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False, pad_token_id=0
            )
        return out[0, len(ids) :].tolist()

    @torch.inference_mode()
    def passes(ids: list[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        cache = DynamicCache()

        def one(rows: torch.Tensor) -> float:
            seconds = _seconds(lambda: module(rows, cache=cache).logits.argmax(-1).tolist())
            cache.crop(-rows.shape[1])
            return seconds

        with _as_by_default(module):
            module(torch.tensor([ids], device=model.device), cache=cache)
            chains = [torch.tensor([ids[:rows]], device=model.device) for rows in widths]
            return [[one(chain) for _ in range(rounds)] for chain in chains]

    return Engine(
        name="transformers", device=model.device.type, dtype=str(module.dtype).removeprefix("torch."), tokens=tokens,
        passes=passes, decode=lambda ids, count: _seconds(lambda: tokens(ids, count)),
    )  # fmt: skip


@contextmanager
def _as_by_default(module: Any) -> Iterator[None]:
    """A module with transformers' own attention and all threads; ours left them at those of a narrow pass."""
    own, module.config._attn_implementation = module.config._attn_implementation, "sdpa"
    torch.set_num_threads(allowed())
    try:
        yield
    finally:
        module.config._attn_implementation = own


@contextmanager
def exported(model: Model) -> Iterator[Path]:
    """A float32 GGUF file of a model's weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        export(model.plain_module(), path)
        yield path


@contextmanager
def llama_cpp(
    path: Path, ids: list[int], tokens: int, *, threads: int, build: str | None, exact: bool
) -> Iterator[Engine]:
    """Greedy decoding in llama.cpp with the threads that are fastest here.

    Parameters
    ----------
    path
        The GGUF file.
    ids, tokens
        The prompt, and how many tokens are decoded after it.
    threads
        The most that it may take.
    build, exact
        As of `LlamaCpp`.
    """
    waiting = fastest(path, threads, build, ids[:PROBE], exact)
    server = LlamaCpp(path, waiting, len(ids) + tokens + max(ROWS) + 8, build=build, exact=exact)
    try:
        yield Engine(
            name="llama.cpp", device="cpu", dtype="float32" if exact else type_of(path), decode=server.decode,
            tokens=server.tokens, passes=server.passes, load_s=server.load_s, build=server.system, waiting=waiting,
        )  # fmt: skip
    finally:
        server.close()


def widths(engine: Engine, ids: list[int]) -> dict[str, float]:
    """Seconds of passes over few tokens after `ids`, by how many: medians, after one that is not counted."""
    found = engine.passes(ids, ROWS, ROUNDS)
    return {str(rows): statistics.median(seconds[1:]) for rows, seconds in zip(ROWS, found, strict=True)}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
