"""Tokens a second and time to first token: guiderail, transformers' generate and llama.cpp on the same weights.

Every engine decodes greedily after the same prompt of token ids. Time to first token is the time of one token, and
the speed is that of the tokens after it: (n - 1) / (t(n) - t(1)). The engines take turns, so that a disturbance of
the machine meets all of them; the median is reported with the spread (half the interquartile range over the median).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from guiderail.benchmarks.llama_cpp import LlamaCpp, export
from guiderail.decoding.session import Session
from guiderail.errors import UsageError
from guiderail.model import threads
from guiderail.model.attention import register
from guiderail.model.info import ModelInfo
from guiderail.model.model import Model

_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # not for longer than who started it
Decode = Callable[[list[int], int], tuple[float, list[int]]]

# (hidden size, layers, heads, kv heads, feed-forward, vocabulary) of Llama shapes; the last two are DeepSeek-Coder's.
# The smallest is the embedded model's, with room for long prompts.
SHAPES = {
    "random-10M": (384, 5, 6, 2, 1024, 8192),
    "random-0.1B": (768, 12, 12, 4, 2048, 32000),
    "random-0.5B": (1280, 24, 20, 4, 3584, 32000),
    "random-1.3B": (2048, 24, 16, 16, 5504, 32256),
    "random-6.7B": (4096, 32, 32, 32, 11008, 32256),
}
ON = {"cpu": ("embedded", "random-0.1B", "random-0.5B"), "cuda": ("embedded", "random-1.3B", "random-6.7B")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    models
        Names: "embedded", a random shape, or a model reference.
    device, dtype
        Of guiderail and transformers; llama.cpp runs f32 on the CPU.
    prompt, tokens
        Lengths in tokens.
    runs
        Rounds in which every engine has its turn.
    threads
        CPU threads of every engine.
    busy
        Other processes that want a core all the time meanwhile, as compilers do.
    """

    models: tuple[str, ...]
    device: str
    dtype: torch.dtype
    prompt: int = 512
    tokens: int = 64
    runs: int = 5
    threads: int = 2
    busy: int = 0
    seed: int = 0


def random_model(name: str, device: str, dtype: torch.dtype, seed: int, context: int = 4096) -> Model:
    """A Llama of the shape `name` with random weights.

    The weights are drawn wider than for training, so that greedy decoding does not repeat one token.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers, heads, kv_heads, inner, vocabulary = SHAPES[name]
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=context,
        initializer_range=0.08,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(seed)
    with torch.device(device):
        module = LlamaForCausalLM._from_config(config, dtype=dtype, attn_implementation=register())
    parameters = sum(p.numel() for p in module.parameters())
    info = ModelInfo(
        name=name,
        folder=Path(),
        revision=None,
        family="llama",
        parameters=parameters,
        bytes_on_disk=0,
        licence=None,
        context_length=config.max_position_embeddings,
        fim=None,
        architecture="LlamaForCausalLM",
        cache_width=2 * layers * kv_heads * (hidden // heads),
    )
    return Model(module, None, info, torch.device(device), dtype)  # type: ignore[arg-type]  # no text is involved


def guiderail_engine(model: Model) -> Decode:
    """Greedy decoding through one Session, which a server would keep as well: buffers and graphs stay."""
    session = Session(model)

    def decode(ids: list[int], tokens: int) -> tuple[float, list[int]]:
        session.rollback(session.length)
        out: list[int] = []
        start = time.perf_counter()
        logits = session.feed(ids)
        while True:
            assert logits is not None
            out.append(int(logits.argmax()))
            if len(out) == tokens:
                return time.perf_counter() - start, out
            logits = session.feed(out[-1:])

    return decode


def transformers_engine(model: Model) -> Decode:
    """Greedy decoding through `generate` with its defaults (sdpa attention, DynamicCache)."""
    module = model.plain_module() if model.device.type == "cpu" else model.module  # on a GPU its weights are its own
    module.generation_config.eos_token_id = None

    @torch.inference_mode()
    def decode(ids: list[int], tokens: int) -> tuple[float, list[int]]:
        prompt = torch.tensor([ids], device=model.device)
        own, module.config._attn_implementation = module.config._attn_implementation, "sdpa"
        try:
            torch.set_num_threads(threads.allowed())  # ours left it at that of a narrow pass
            start = time.perf_counter()
            out = module.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False, pad_token_id=0
            )[0, len(ids) :].tolist()
            return time.perf_counter() - start, out
        finally:
            module.config._attn_implementation = own

    return decode


@contextmanager
def llama_cpp_engine(model: Model, plan: Plan) -> Iterator[Decode]:
    """Greedy decoding in llama.cpp, f32."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        export(model.plain_module(), path)
        server = LlamaCpp(path, plan.threads, plan.prompt + plan.tokens + 8)
        try:
            yield server.decode
        finally:
            server.close()


def bandwidth(plan: Plan) -> dict[str, float]:
    """Bytes a second that a copy on the device reads and writes: what bounds decoding of one sequence."""
    size = 2**30 if plan.device == "cuda" else 2**28
    source = torch.ones(size, dtype=torch.uint8, device=plan.device)
    target, seconds = torch.empty_like(source), []
    for _ in range(10):
        start = time.perf_counter()
        target.copy_(source)
        if plan.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {"copy_bytes_per_s": 2 * size / min(seconds)}


def measure(engines: dict[str, Decode], ids: list[int], plan: Plan, done: Callable[[], None]) -> dict[str, Any]:
    """Seconds of each engine's single token and of all tokens, a list of rounds each, and the tokens it wrote."""
    times: dict[str, Any] = {name: {"first": [], "all": [], "ids": []} for name in engines}
    for decode in engines.values():
        decode(ids, plan.tokens)  # warm-up: thread pools, allocations, a graph for each bucket of slots
    for _ in range(plan.runs):
        for name, decode in engines.items():
            times[name]["first"].append(decode(ids, 1)[0])
            seconds, times[name]["ids"] = decode(ids, plan.tokens)
            times[name]["all"].append(seconds)
            done()
    return times


def rows(model: Model, times: dict[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """One row an engine."""
    reference = times["guiderail"]["ids"]
    return [
        {
            "model": model.info.name,
            "parameters": model.info.parameters,
            "device": "cpu" if engine == "llama.cpp" else plan.device,
            "dtype": "float32" if engine == "llama.cpp" else str(plan.dtype).removeprefix("torch."),
            "engine": engine,
            "prompt_tokens": plan.prompt,
            "tokens": plan.tokens,
            "threads": plan.threads,
            "busy": plan.busy,
            **_speed(found, plan.tokens),
            "runs": plan.runs,
            "same_tokens": _common(found["ids"], reference),
            "weight_bytes_per_token": _weight_bytes(model),
        }
        for engine, found in times.items()
    ]


def _check(model: Model, plan: Plan) -> None:
    wanted, held = plan.prompt + plan.tokens, model.info.context_length
    if wanted > held:
        raise UsageError(f"{wanted} tokens do not fit {model.info.name}", f"Its context holds {held}: ask for fewer")


def _weight_bytes(model: Model) -> int:
    """Bytes of weights that one decode step has to read: all but the embedding's table of rows, unless it is tied."""
    size = model.dtype.itemsize
    table = model.vocab_size * model.embed(torch.zeros(1, dtype=torch.int64, device=model.device)).shape[-1]
    return size * (model.info.parameters - (0 if model.info.tied else table))


def _speed(found: dict[str, Any], tokens: int) -> dict[str, float]:
    speeds = [(tokens - 1) / (whole - first) for first, whole in zip(found["first"], found["all"], strict=True)]
    median = statistics.median(speeds)
    low, _, high = statistics.quantiles(speeds, n=4) if len(speeds) > 1 else (median, median, median)
    return {
        "tokens_per_s": round(median, 2),
        "ttft_s": round(statistics.median(found["first"]), 5),
        "spread": round((high - low) / 2 / median, 4),
    }


def _common(ids: list[int], reference: list[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(ids, reference, strict=True)) if a != b), len(ids))


@contextmanager
def others(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that never rest."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.extend(subprocess.Popen([sys.executable, "-I", "-S", "-c", _BUSY]) for _ in range(count))
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(plan: Plan, load: Callable[[str], Model], progress: Callable[[str, int], Callable[[], None]]) -> list[dict]:
    """All rows of `plan`; `load` gives a model by name, `progress(name, steps)` a callback for each step done."""
    found: list[dict[str, Any]] = []
    threads.allow(plan.threads)
    for name in plan.models:
        model = random_model(name, plan.device, plan.dtype, plan.seed) if name in SHAPES else load(name)
        _check(model, plan)
        generator = torch.Generator().manual_seed(plan.seed)
        ids = torch.randint(300, model.vocab_size, (plan.prompt,), generator=generator).tolist()
        engines = {"guiderail": guiderail_engine(model), "transformers": transformers_engine(model)}
        done = progress(name, plan.runs * (3 if plan.device == "cpu" else 2))
        with ExitStack() as stack:
            if plan.device == "cpu":
                engines["llama.cpp"] = stack.enter_context(llama_cpp_engine(model, plan))
            stack.enter_context(others(plan.busy))
            found += rows(model, measure(engines, ids, plan, done), plan)
        del model, engines
    return found
