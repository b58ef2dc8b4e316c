"""How long a person waits for a suggestion: the same typing against our server and llama.cpp's, on the same weights."""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from guiderail.benchmarks.client import GuiderailServer
from guiderail.benchmarks.llama_cpp import export, fastest, type_of
from guiderail.benchmarks.llama_server import LlamaServer
from guiderail.benchmarks.replay import Replay
from guiderail.benchmarks.trace import Trace, make_trace
from guiderail.errors import GuiderailError, UsageError
from guiderail.evaluation.manifest import DEFAULT, datasets_folder, read_manifest
from guiderail.evaluation.packages import cache_folder, fetch, source_files
from guiderail.model.load import describe, load
from guiderail.model.model import Model
from guiderail.prompt.prompt import build_prompt
from guiderail.settings import Settings
from guiderail.text.document import Document

ENGINES = ("guiderail", "llama.cpp")
SMALLEST, LARGEST = 5_000, 40_000  # characters of a file that is typed in
CONTEXT = 8192  # tokens that llama.cpp holds at most
WAIT_EVERY = 25  # keys in a rush: so often the person looks at a suggestion

Progress = Callable[[str, int], Callable[[], None]]


class Server(Protocol):
    """What is started before it is typed against, and ended after it."""

    async def start(self) -> None:
        """Come back when it can be asked."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is typed, and against what.

    Parameters
    ----------
    engines
        Of `ENGINES`.
    model
        Whose weights both run.
    package
        The held-out package in which is typed.
    files
        In how many of its files.
    seconds
        Of typing at true speed, for each engine.
    rush_seconds
        Of typing that our server is given as fast as it notices keys, to see its memory after it.
    threads
        Of each engine; llama.cpp has all or half of them, whichever is faster.
    rival
        A GGUF file for llama.cpp: the same model in another type.
    build
        A folder with another build of llama.cpp than the one that is installed.
    seed
        Of the files and the typing.
    """

    engines: tuple[str, ...] = ENGINES
    model: str = "embedded"
    package: str = "boltons"
    files: int = 3
    seconds: float = 240.0
    rush_seconds: float = 3600.0
    threads: int = 2
    rival: str | None = None
    build: str | None = None
    seed: int = 0


QUICK = Plan(seconds=40.0, rush_seconds=300.0)


def sources(plan: Plan) -> dict[str, str]:
    """The package's files by their place; those that are typed in come first.

    Raises
    ------
    UsageError
        There is no such held-out package, or it has too few files.
    """
    known = {package.name: package for package in read_manifest(datasets_folder() / DEFAULT)}
    if plan.package not in known:
        raise UsageError(f"{plan.package} is no held-out package", f"Choose one of {', '.join(sorted(known))}")
    fetch([known[plan.package]], cache_folder())
    texts = {file.path: file.text for file in source_files(known[plan.package], cache_folder())}
    fitting = [name for name, text in texts.items() if SMALLEST <= len(text) <= LARGEST]
    if len(fitting) < plan.files:
        raise UsageError(f"{plan.package} has {len(fitting)} files that can be typed in", "Ask for fewer")
    typed = random.Random(plan.seed).sample(fitting, plan.files)
    return {name: texts[name] for name in [*typed, *(name for name in texts if name not in typed)]}


async def run(plan: Plan, texts: dict[str, str], progress: Progress) -> list[dict[str, Any]]:
    """One row an engine.

    Parameters
    ----------
    texts
        As `sources` gives them: the first `plan.files` are typed in.
    progress
        Given a name and a number of steps, a callback for each step done.
    """
    trace = make_trace({name: texts[name] for name in list(texts)[: plan.files]}, plan.seed, plan.seconds)
    rows = []
    for name in plan.engines:
        row = {"engine": name, "model": plan.model, "seconds": round(trace.seconds, 1), "keys": len(trace.keys)}
        with tempfile.TemporaryDirectory() as folder:
            drive = _guiderail if name == "guiderail" else _llama_cpp
            row |= await drive(plan, texts, trace, Path(folder).resolve(), progress)
        rows.append(row)
    return rows


async def _guiderail(
    plan: Plan, texts: dict[str, str], trace: Trace, folder: Path, progress: Progress
) -> dict[str, Any]:
    write_project(folder, texts | trace.files)
    flags = ["--model", plan.model, "--threads", str(plan.threads)]
    server = GuiderailServer(folder, flags)
    async with running(server):
        log = await Replay(trace, server).run(progress("guiderail", len(trace.keys)))
        counts = (await server.command("guiderail.explain"))["session"]["requests"]
        found = log.row() | memory(server.pid) | {"rush_keys": 0, "rush_rss_mb": None}
        found |= {"dtype": "auto", "waiting": None}
        found["reused"] = round((counts["remembered"] + counts["joined"]) / max(1, log.requests), 4)
        if plan.rush_seconds:
            names = list(trace.files)
            again = make_trace({name: texts[name] for name in names}, plan.seed + 1, plan.rush_seconds)
            await Replay(again, server).rush(WAIT_EVERY, progress("in a rush", len(again.keys)))
            found |= {"rush_keys": len(again.keys), "rush_rss_mb": memory(server.pid)["rss_mb"]}
    return found


async def _llama_cpp(
    plan: Plan, texts: dict[str, str], trace: Trace, folder: Path, progress: Progress
) -> dict[str, Any]:
    file, window, context = rival(plan, folder)
    gc.collect()
    waiting = fastest(file, plan.threads, plan.build, list(range(300, 364)))
    server = LlamaServer(file, waiting, context, Settings().max_tokens, window, plan.build)
    async with running(server):
        log = await Replay(trace, server).run(progress("llama.cpp", len(trace.keys)))
        found = log.row() | memory(server.pid) | {"rush_keys": 0, "rush_rss_mb": None, "reused": 0.0}
        return found | {"dtype": type_of(file), "waiting": asdict(waiting)}


def rival(plan: Plan, folder: Path) -> tuple[Path, Callable[[str, int], tuple[str, str]], int]:
    """llama.cpp's file, what it is shown of a text, and its context.

    A GGUF file is run as it is, other weights in float32. The context is bounded: llama.cpp takes its memory at once.
    """
    info = describe(plan.model)
    model = load(plan.model, device="cpu", dtype="auto" if info.file else "float32", threads=plan.threads)
    file = Path(plan.rival) if plan.rival else info.file
    if file is None:
        file = folder / "model.gguf"
        export(model.plain_module(), file, info.folder / "tokenizer.json")
    return file, _window(model), min(info.context_length, CONTEXT)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[None]:
    """The server from its start to its end."""
    await server.start()
    try:
        yield
    finally:
        await server.stop()


def write_project(folder: Path, texts: dict[str, str]) -> None:
    """The package on disk, as it is when the typing begins."""
    (folder / "pyproject.toml").touch()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _window(model: Model) -> Callable[[str, int], tuple[str, str]]:
    """What of a text goes into a prompt: the same lines on both sides of the cursor as in ours, without other files."""
    settings, fim, tokenizer = Settings(), model.info.fim, model.tokenizer
    if fim is None:
        raise GuiderailError(f"{model.info.name} cannot fill in the middle", "Choose another model")
    count = lru_cache(1 << 14)(lambda text: len(tokenizer.encode(text)))
    budget = min(settings.prompt_tokens, model.info.context_length - settings.max_tokens)

    def window(text: str, cursor: int) -> tuple[str, str]:
        document = Document(text, language="python")
        prompt = build_prompt(document, cursor, (), fim, layout="psm", budget=budget, count=count, heal=False)
        return prompt.text_of("prefix"), prompt.text_of("suffix")

    return window


def memory(pid: int) -> dict[str, float]:
    """Megabytes that a server holds, and that the processes hold which it started."""
    import psutil

    process = psutil.Process(pid)
    started = sum(child.memory_info().rss for child in process.children(recursive=True))
    return {
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "children_rss_mb": round(started / 1e6, 1),
    }


def quick(plan: Plan) -> Plan:
    """The same for less time."""
    return replace(plan, seconds=QUICK.seconds, rush_seconds=QUICK.rush_seconds)
