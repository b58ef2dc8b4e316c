"""Tokens a second, time to first token and of narrow passes: guiderail, transformers' generate and llama.cpp.

Every engine decodes greedily after the same prompt of token ids. Time to first token is the time of one token, and
the speed is that of the tokens after it: (n - 1) / (t(n) - t(1)). The engines take turns, so that a disturbance of
the machine meets all of them; the median is reported with the spread (half the interquartile range over the median).

A GGUF file is run as people run it: guiderail in the precision that it chooses, llama.cpp with its defaults and the
threads that are fastest here, beside it other files of the same model. Other weights are the same in all engines, in
float32.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from guiderail.benchmarks.engines import Engine, exported, llama_cpp, ours, theirs, widths
from guiderail.errors import UsageError
from guiderail.model import threads
from guiderail.model.attention import register
from guiderail.model.info import ModelInfo
from guiderail.model.model import Model

_BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # not for longer than who started it

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
        Of guiderail and transformers; not of a GGUF file.
    prompt, tokens
        Lengths in tokens.
    runs
        Rounds in which every engine has its turn.
    threads
        CPU threads of every engine.
    busy
        Other processes that want a core all the time meanwhile, as compilers do.
    rivals
        Other GGUF files for llama.cpp: the same model in other types.
    build
        A folder with another build of llama.cpp than the one that is installed.
    """

    models: tuple[str, ...]
    device: str
    dtype: torch.dtype
    prompt: int = 512
    tokens: int = 64
    runs: int = 5
    threads: int = 2
    busy: int = 0
    rivals: tuple[Path, ...] = ()
    build: str | None = None
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


def measure(engines: Sequence[Engine], ids: list[int], plan: Plan, done: Callable[[], None]) -> list[dict[str, Any]]:
    """What each engine took: seconds of a single token, of all and of narrow passes, a list of rounds; its tokens."""
    times = [  # with a warm-up: thread pools, allocations, a graph for each bucket of slots
        {"engine": engine, "first": [], "all": [], "widths": [], "ids": engine.tokens(ids, plan.tokens)}
        for engine in engines
    ]
    for _ in range(plan.runs):
        for found in times:
            engine = found["engine"]
            found["first"].append(engine.decode(ids, 1))
            found["all"].append(engine.decode(ids, plan.tokens))
            found["widths"].append(widths(engine, ids))
            done()
    return times


def rows(model: Model, times: Sequence[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    """One row an engine."""
    reference = times[0]["ids"]
    return [
        {
            "model": model.info.name,
            "parameters": model.info.parameters,
            "device": found["engine"].device,
            "dtype": found["engine"].dtype,
            "engine": found["engine"].name,
            "prompt_tokens": plan.prompt,
            "tokens": plan.tokens,
            "threads": plan.threads,
            "busy": plan.busy,
            **_speed(found, plan),
            "ms_of_rows": {
                width: round(1000 * statistics.median(one[width] for one in found["widths"]), 3)
                for width in found["widths"][0]
            },
            "load_s": found["engine"].load_s,
            "runs": plan.runs,
            "same_tokens": _common(found["ids"], reference),
            "weight_bytes_per_token": _weight_bytes(model, found["engine"]),
            "build": found["engine"].build,
            "waiting": asdict(found["engine"].waiting) if found["engine"].waiting else None,
        }
        for found in times
    ]


def _check(model: Model, plan: Plan) -> None:
    if plan.rivals and model.info.file is None:
        raise UsageError(f"{model.info.name} is no GGUF file", "Name one as --model beside --rival")
    wanted, held = plan.prompt + plan.tokens, model.info.context_length
    if wanted > held:
        raise UsageError(f"{wanted} tokens do not fit {model.info.name}", f"Its context holds {held}: ask for fewer")


def _weight_bytes(model: Model, engine: Engine) -> int | None:
    """Bytes of weights that one decode step has to read: all but the embedding's table of rows, unless it is tied.

    None for a file that is quantised by blocks.
    """
    if engine.build and model.info.file:
        return None
    size = 1 if model.precision == "int8" else model.dtype.itemsize
    table = model.vocab_size * model.embed(torch.zeros(1, dtype=torch.int64, device=model.device)).shape[-1]
    return size * (model.info.parameters - (0 if model.info.tied else table))


def _speed(found: dict[str, Any], plan: Plan) -> dict[str, float]:
    speeds = [(plan.tokens - 1) / (whole - first) for first, whole in zip(found["first"], found["all"], strict=True)]
    first = statistics.median(found["first"])
    median = statistics.median(speeds)
    low, _, high = statistics.quantiles(speeds, n=4) if len(speeds) > 1 else (median, median, median)
    return {
        "tokens_per_s": round(median, 2),
        "ttft_s": round(first, 5),
        "prefill_tokens_per_s": round(plan.prompt / first, 1),
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
        start = time.perf_counter()
        model = random_model(name, plan.device, plan.dtype, plan.seed) if name in SHAPES else load(name)
        load_s = None if name in SHAPES else time.perf_counter() - start
        _check(model, plan)
        generator = torch.Generator().manual_seed(plan.seed)
        ids = torch.randint(300, model.vocab_size, (plan.prompt,), generator=generator).tolist()
        with ExitStack() as stack:
            engines = [ours(model, load_s), *_others(model, plan, ids, stack)]
            done = progress(name, plan.runs * len(engines))
            stack.enter_context(others(plan.busy))
            found += rows(model, measure(engines, ids, plan, done), plan)
        del model, engines
    return found


def _others(model: Model, plan: Plan, ids: list[int], stack: ExitStack) -> Iterator[Engine]:
    """transformers and llama.cpp on the same weights; of a GGUF file llama.cpp alone, with the plan's other files."""
    if model.info.file is None:
        yield theirs(model)
    if plan.device != "cpu":
        return
    file, running = (
        model.info.file,
        partial(llama_cpp, threads=plan.threads, build=plan.build, exact=not model.info.file),
    )
    for path in dict.fromkeys((file, *plan.rivals)) if file else (stack.enter_context(exported(model)),):
        yield stack.enter_context(running(path, ids, plan.tokens))
