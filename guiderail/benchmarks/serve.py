"""How long people wait who share one HTTP server: ours, ours on Ray, and llama.cpp's, on the same weights."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from guiderail.benchmarks import typing
from guiderail.benchmarks.client import START_PATIENCE
from guiderail.benchmarks.llama_cpp import fastest
from guiderail.benchmarks.llama_server import LlamaServer, call
from guiderail.benchmarks.replay import Log, Replay, quantile
from guiderail.benchmarks.trace import Key, Trace, make_trace
from guiderail.errors import GuiderailError
from guiderail.model.load import describe
from guiderail.settings import Settings

OURS, ON_RAY, RIVAL = ENGINES = ("guiderail", "guiderail, 2 replicas", "llama.cpp")
END_S = 15.0  # that a server gets to end
BEFORE, AFTER = 256, 64  # lines of a prompt around the cursor's, as llama.vim takes them
PAUSE = 10.0  # seconds at most until somebody begins, which are left out
BATCH = 2048  # tokens of a prompt at most that llama.cpp takes by default, as many as ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who types, and against what.

    Parameters
    ----------
    engines
        Of `ENGINES`.
    people
        Numbers of people who type at the same time.
    seconds
        Of typing at true speed, for each engine and number of people.
    model, package, files, threads, rival, seed
        As of `typing.Plan`; the threads are shared by the replicas.
    """

    engines: tuple[str, ...] = (OURS, RIVAL)
    people: tuple[int, ...] = (1, 4, 16, 64)
    seconds: float = 60.0
    model: str = "embedded"
    package: str = "boltons"
    files: int = 8
    threads: int = 2
    rival: str | None = None
    seed: int = 0

    @property
    def typing(self) -> typing.Plan:
        """What it has in common with the typing of one person."""
        return typing.Plan(
            model=self.model, package=self.package, files=self.files, threads=self.threads, rival=self.rival,
            seed=self.seed,
        )  # fmt: skip


@dataclass
class Person:
    """Someone who types against a server through `/infill`, with the fields that llama.vim sends.

    A prompt has the lines around the cursor that llama.vim takes. An answer ends with the line, so that both engines
    write as much. A request is given up as llama.vim does it: its connection is closed.

    Attributes
    ----------
    tokens
        Of the answers that came.
    failures
        What was said instead of the others.
    """

    host: str
    port: int
    tokens: int = 0
    failures: list[str] = field(default_factory=list)

    async def open(self, file: str, text: str) -> None:
        """Nothing: every request brings its text."""

    async def change(self, file: str, before: str, key: Key) -> None:
        """Nothing: every request brings its text."""

    async def ping(self) -> None:
        """Nothing: what is waited for is the answer."""

    async def ask(self, file: str, text: str, cursor: int) -> str:
        """Ask for the rest of the line; where the server refuses, the request counts as given up."""
        try:
            found: dict[str, Any] = await call(self.host, self.port, "/infill", body_of(text, cursor))
        except (GuiderailError, OSError, ValueError) as error:
            found = {"error": str(error)}
        if "content" not in found:
            self.failures.append(str(found.get("error", found)))
            raise asyncio.CancelledError
        self.tokens += found.get("tokens_predicted", 0)
        return found["content"]


def body_of(text: str, cursor: int) -> dict[str, Any]:
    """What llama.vim sends of a text, with the line's end as a stop and without chance."""
    before, after = text[:cursor].split("\n"), text[cursor:].split("\n")
    line = before.pop()
    return {
        "input_prefix": "".join(f"{one}\n" for one in before[-BEFORE:]),
        "input_suffix": "".join(f"{one}\n" for one in after[: AFTER + 1]),
        "input_extra": [],
        "prompt": line,
        "n_predict": Settings().max_tokens,
        "n_indent": len(line) - len(line.lstrip(" ")),
        "stop": ["\n"],
        "temperature": 0.0,
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 1000,
        "response_fields": ["content", "tokens_predicted"],
    }


class ServeProcess:
    """`guiderail serve` in a process of its own.

    Parameters
    ----------
    flags
        Of `guiderail serve`, but for the port.

    Attributes
    ----------
    pid
        Of its process.
    host, port
        Where it listens, once started.
    """

    def __init__(self, *flags: str) -> None:
        self._flags = flags
        self._said: list[str] = []
        self.host, self.port = "127.0.0.1", 0

    async def start(self) -> None:
        """Start it, and wait until its model is loaded.

        Raises
        ------
        GuiderailError
            It ends, or does not become ready.
        """
        # A cluster elsewhere would have memory that is not seen here.
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("GUIDERAIL_", "RAY_ADDRESS"))}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "guiderail", "serve", "--port", "0", *self._flags, stderr=-1, env=ours
        )
        self.pid = self._process.pid
        self._listening = asyncio.create_task(self._listen())
        try:
            await asyncio.wait_for(self._ready(), START_PATIENCE)
        except (TimeoutError, GuiderailError) as error:
            await self.stop()
            said = " ".join(self._said[-1:]).removeprefix("guiderail: ")
            raise GuiderailError(f"guiderail serve did not start: {said}", "Start it by hand to see why") from error

    async def stop(self) -> None:
        """End it as a service manager does."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), END_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            self._said.append(line.decode(errors="replace").strip())
            if found := re.search(r" on http://[\d.]+:(\d+)$", self._said[-1]):
                self.port = int(found[1])

    async def _ready(self) -> None:
        while not self.port or "status" not in await call(self.host, self.port, "/health"):
            if self._process.returncode is not None:
                raise GuiderailError("guiderail serve ended", "")
            await asyncio.sleep(0.1)


async def run(plan: Plan, texts: Mapping[str, str], progress: typing.Progress) -> list[dict[str, Any]]:
    """One row for each number of people and engine.

    Parameters
    ----------
    texts
        As `typing.sources` gives them: the first `plan.files` are typed in.
    progress
        Given a name and a number of steps, a callback for each step done.
    """
    describe(plan.model)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        traces = traces_of(plan, texts)
        (folder / "project").mkdir()
        typing.write_project(folder / "project", {file: text for one in traces for file, text in one.files.items()})
        servers = _Servers(plan, folder)
        for people in plan.people:
            own = [await _typed(engine, servers, traces[:people], progress) for engine in plan.engines]
            rows += with_ratios(own)
    return rows


def traces_of(plan: Plan, texts: Mapping[str, str]) -> list[Trace]:
    """What each person types, in a copy of a file that is theirs alone."""
    typed = (name for name in texts if make_trace({name: texts[name]}, plan.seed, PAUSE).keys)  # some have no function
    files = list(islice(typed, plan.files))
    names = [(person, files[person % len(files)]) for person in range(max(plan.people))]
    return [
        _cut(
            make_trace({f"person{person}/{name}": texts[name]}, plan.seed + person, plan.seconds + PAUSE), plan.seconds
        )
        for person, name in names
    ]


def _cut(trace: Trace, seconds: float) -> Trace:
    """The trace from the first request on, for the same time for everybody."""
    begin = next((key.at for key in trace.keys if key.asks), 0.0)
    keys = [replace(key, at=max(0.0, key.at - begin)) for key in trace.keys if key.at - begin <= seconds]
    return Trace(trace.files, keys)


class _Servers:
    """Makes the servers of a plan; llama.cpp's file and threads are the same for all numbers of people."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._project = plan, folder / "project"
        if RIVAL in plan.engines:
            self._file, _, self._context = typing.rival(plan.typing, folder)
            self._waiting = fastest(self._file, plan.threads, None, list(range(300, 364)))

    def make(self, engine: str, people: int) -> ServeProcess | LlamaServer:
        plan, most = self._plan, Settings().max_tokens
        if engine == RIVAL:
            batch = min(BATCH, self._context - 2 * most)
            whole = lambda text, cursor: (text[:cursor], text[cursor:])  # noqa: E731
            return LlamaServer(self._file, self._waiting, self._context, most, whole, slots=people, batch=batch)
        flags = ["--root", str(self._project), "--model", plan.model]
        if engine == OURS:
            return ServeProcess(*flags, "--threads", str(plan.threads))
        each = str(max(1, plan.threads // 2))
        return ServeProcess(*flags, "--threads", each, "--ray", "--min-replicas", "2", "--max-replicas", "2")


async def _typed(engine: str, servers: _Servers, traces: list[Trace], progress: typing.Progress) -> dict[str, Any]:
    """The row of an engine, against which everybody types at once."""
    server = servers.make(engine, len(traces))
    async with typing.running(server):
        pressed = progress(f"{engine}, {len(traces)} people", sum(len(trace.keys) for trace in traces))
        people = [Person(server.host, server.port) for _ in traces]
        replays = [Replay(trace, person) for trace, person in zip(traces, people, strict=True)]
        logs = await asyncio.gather(*(replay.run(pressed) for replay in replays))
        memory = typing.memory(server.pid)
    failures = [one for person in people for one in person.failures]
    if failures and not any(log.latencies for log in logs):
        raise GuiderailError(f"{engine} answered nobody: {failures[0]}", "Choose another model, or fewer people")
    seconds, tokens = max(trace.seconds for trace in traces), sum(person.tokens for person in people)
    found = {"engine": engine, "people": len(traces), "failed": len(failures)} | row_of(logs)
    speed = round(tokens / seconds, 2) if seconds else 0.0
    return found | {"tokens_per_s": speed, "rss_mb": round(sum(memory.values()), 1)}


def row_of(logs: list[Log]) -> dict[str, Any]:
    """The figures of all people together, and the spread of their medians."""
    waits = [seconds for log in logs for seconds in log.latencies]
    medians = [own for log in logs if (own := quantile(log.latencies, 50)) is not None]
    requests = sum(log.requests for log in logs)
    return {
        "requests": requests,
        "answered": round(len(waits) / max(1, requests), 4),
        **{f"p{percent}_ms": quantile(waits, percent) for percent in (50, 95, 99)},
        "least_p50_ms": min(medians, default=None),
        "most_p50_ms": max(medians, default=None),
        "unanswered_people": len(logs) - len(medians),
    }


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with each percentile as a multiple of llama.cpp's; None where either is missing."""
    rival = next((row for row in rows if row["engine"] == RIVAL), {})

    def ratio(row: dict[str, Any], key: str) -> float | None:
        own, other = row[key], rival.get(key)
        return round(own / other, 3) if own is not None and other else None

    return [row | {f"p{part}_ratio": ratio(row, f"p{part}_ms") for part in (50, 95, 99)} for row in rows]


def quick(plan: Plan) -> Plan:
    """The same for fewer people and less time."""
    return replace(plan, people=(1, 4), seconds=6.0)
