"""llama.cpp as a library in this process, through llama-cpp-python's bindings to its C functions.

That package is the one that people build for their own CPU. It has no server of llama.cpp's, so what a server does with
a cache is done here by the same rules: keep the common beginning, and find runs of equal tokens again further left.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

PHYSICAL = 512  # tokens that llama.cpp computes at a time, its default
_F32 = 0  # of ggml's types
_OFF = 0  # of flash attention's settings


class Library:
    """A model in llama.cpp, with one sequence in its cache.

    Parameters
    ----------
    path
        The GGUF file.
    threads, context
        Threads, and tokens of prompt and answer at most.
    exact
        Keys and values in float32 and no flash attention, as transformers computes; else llama.cpp's defaults.
    """

    def __init__(self, path: str, threads: int, context: int, exact: bool = False) -> None:
        self._c: Any = importlib.import_module("llama_cpp")
        self._c.llama_backend_init()
        self._model = self._c.llama_model_load_from_file(path.encode(), self._c.llama_model_default_params())
        if not self._model:
            raise OSError(path)
        options = self._c.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = context, context, PHYSICAL
        options.n_threads = options.n_threads_batch = threads
        options.n_outputs_max = context
        if exact:
            options.type_k = options.type_v = _F32
            options.flash_attn_type = _OFF
        self._context = self._c.llama_init_from_model(self._model, options)
        self._memory = self._c.llama_get_memory(self._context)
        self._vocabulary = self._c.llama_model_get_vocab(self._model)
        self._size = self._c.llama_vocab_n_tokens(self._vocabulary)
        self._batch = self._c.llama_batch_init(context, 0, 1)
        self._held: list[int] = []
        self._run([self._c.llama_vocab_bos(self._vocabulary) % self._size])  # buffers are made at the first pass

    def system(self) -> str:
        """What it was built for, as it says itself."""
        return self._c.llama_print_system_info().decode().strip(" |")

    def decode(self, ids: Sequence[int], tokens: int, reuse: int = 0) -> tuple[list[int], int]:
        """Greedy tokens after `ids`, and how many ids were encoded for them.

        Parameters
        ----------
        reuse
            Runs of so many equal tokens are found again, and the common beginning is kept; 1 keeps that beginning
            alone, 0 nothing.
        """
        kept = self._fit(ids, reuse) if reuse else self._cut(0)
        out = [self._likeliest(ids[kept:])]
        while len(out) < tokens:
            out.append(self._likeliest(out[-1:]))
        return out, len(ids) - kept

    def passes(self, ids: Sequence[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        """Seconds of passes over so many tokens after `ids`, whose scores are all wanted; a list for each width."""
        self._run(ids[self._fit(ids, 1) :])
        return [[self._pass(ids[:rows]) for _ in range(rounds)] for rows in widths]

    def _pass(self, ids: Sequence[int]) -> float:
        length, start = len(self._held), time.perf_counter()
        self._run(ids, scores=True)
        seconds = time.perf_counter() - start
        self._cut(length)
        return seconds

    def scores(self, ids: Sequence[int], rows: int) -> np.ndarray:
        """Scores [rows, vocabulary], float32, after each of the last `rows` ids."""
        self._cut(0)
        self._run(ids[:-rows])
        self._run(ids[-rows:], scores=True)
        found = self._c.llama_get_logits(self._context)
        return np.ctypeslib.as_array(found, (rows, self._size)).copy()

    def line(self, ids: Sequence[int], tokens: int) -> str:
        """The rest of a line after `ids`, greedily."""
        return self._line(list(ids), tokens, reuse=1)

    def infill(self, prefix: str, suffix: str, tokens: int, reuse: int) -> str:
        """The rest of the line between two texts, as llama.cpp's server forms the prompt and ends the answer."""
        marks = [getattr(self._c, f"llama_vocab_fim_{name}")(self._vocabulary) for name in ("pre", "suf", "mid")]
        ids = [marks[0], *self._tokens(prefix), marks[1], *self._tokens(suffix), marks[2]]
        return self._line(ids, tokens, reuse)

    def _line(self, ids: list[int], tokens: int, reuse: int) -> str:
        text = b""
        for piece in self._pieces(ids, tokens, reuse):
            text += piece
            if b"\n" in piece:
                break
        return text.partition(b"\n")[0].decode(errors="ignore")

    def _pieces(self, ids: list[int], tokens: int, reuse: int) -> Iterator[bytes]:
        fresh = ids[self._fit(ids, reuse) :]
        for _ in range(tokens):
            token = self._likeliest(fresh)
            if self._c.llama_vocab_is_eog(self._vocabulary, token):
                return
            yield self._piece(token)
            fresh = [token]

    def _fit(self, ids: Sequence[int], reuse: int) -> int:
        """Keep of the cache what `ids` begins with, and runs that stand further left in it; how many ids that are."""
        most = min(len(self._held), len(ids) - 1)  # the last token's scores are wanted
        kept = next((n for n in range(most) if self._held[n] != ids[n]), most)
        old = kept
        while reuse > 1 and old < len(self._held) and kept < len(ids) - 1:
            run = _common(self._held[old:], ids[kept:-1])
            if old == kept or run < reuse:
                old += 1
                continue
            self._c.llama_memory_seq_rm(self._memory, 0, kept, old)
            self._c.llama_memory_seq_add(self._memory, 0, old, old + run, kept - old)
            self._held[kept : kept + run] = self._held[old : old + run]
            kept, old = kept + run, old + run
        return self._cut(kept)

    def _cut(self, length: int) -> int:
        self._c.llama_memory_seq_rm(self._memory, 0, length, -1)
        del self._held[length:]
        return length

    def _likeliest(self, ids: Sequence[int]) -> int:
        self._run(ids)
        found = self._c.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(found, (self._size,)).argmax())

    def _run(self, ids: Sequence[int], scores: bool = False) -> None:
        """Encode ids after those in the cache; the scores of the last one, or of all, can be asked for then."""
        if not ids:
            return
        batch, start = self._batch, len(self._held)
        batch.n_tokens = len(ids)
        for row, token in enumerate(ids):
            batch.token[row], batch.pos[row] = token, start + row
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, 0
            batch.logits[row] = scores or row == len(ids) - 1
        if self._c.llama_decode(self._context, batch):
            raise MemoryError("llama.cpp's cache is full")
        self._c.llama_synchronize(self._context)
        self._held += ids

    def _tokens(self, text: str) -> list[int]:
        data = text.encode()
        room = (ctypes.c_int32 * (len(data) + 8))()
        count = self._c.llama_tokenize(self._vocabulary, data, len(data), room, len(room), False, False)
        return list(room[:count])

    def _piece(self, token: int) -> bytes:
        room = ctypes.create_string_buffer(256)
        size = self._c.llama_token_to_piece(self._vocabulary, token, room, len(room), 0, False)
        return room.raw[:size]


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
