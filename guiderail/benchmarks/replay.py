"""A trace of typing against a completion engine, at the person's own speed."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from guiderail.benchmarks.trace import Key, Trace

LATE = 0.05  # seconds after which a key stroke counts as delayed
PATIENCE = 10.0  # seconds for the last answer


class Engine(Protocol):
    """What a trace is typed against; texts are kept by the replay."""

    async def open(self, file: str, text: str) -> None:
        """Show a file as it is at the beginning."""
        ...

    async def change(self, file: str, before: str, key: Key) -> None:
        """Take a key's edit; `before` is the text before it."""
        ...

    async def ask(self, file: str, text: str, cursor: int) -> str:
        """The suggestion at a cursor; cancelling the call cancels the work as an editor does."""
        ...

    async def ping(self) -> None:
        """Come back when the engine has noticed all that was sent."""
        ...


@dataclass
class Log:
    """What came of the key strokes.

    Attributes
    ----------
    latencies
        Seconds from a key to its suggestion, of requests that were answered before the next key.
    departed
        Those of them whose key was not the next character of the suggestion on the screen.
    lags
        Seconds until the engine had noticed a key.
    """

    requests: int = 0
    cancelled: int = 0
    shown: int = 0
    latencies: list[float] = field(default_factory=list)
    departed: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """The figures."""
        return {
            "p50_ms": quantile(self.latencies, 50),
            "p95_ms": quantile(self.latencies, 95),
            "departed_p50_ms": quantile(self.departed, 50),
            "departed_p95_ms": quantile(self.departed, 95),
            "cancelled": round(self.cancelled / max(1, self.requests), 4),
            "shown": round(self.shown / max(1, self.requests), 4),
            "delayed_keys": round(sum(lag > LATE for lag in self.lags) / max(1, len(self.lags)), 4),
            "noticed_p95_ms": quantile(self.lags, 95),
            "requests": self.requests,
        }


def quantile(seconds: list[float], percent: int) -> float | None:
    """A percentile in milliseconds; None without measurements."""
    if not seconds:
        return None
    if len(seconds) == 1:
        return round(1000 * seconds[0], 2)
    return round(1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 2)


class Replay:
    """Types a trace: every key is sent when its time has come, whatever became of the one before.

    Parameters
    ----------
    trace
        The keys.
    engine
        Against what.
    """

    def __init__(self, trace: Trace, engine: Engine) -> None:
        self.texts = dict(trace.files)
        self.log = Log()
        self._trace = trace
        self._engine = engine
        self._request: asyncio.Task[None] | None = None
        self._pings: set[asyncio.Task[None]] = set()
        self._screen = ("", "", "")  # file, text before the cursor, and the suggestion that stands there

    async def run(self, pressed: Callable[[], None] = lambda: None) -> Log:
        """Type all of it; `pressed` is called at each key."""
        await self._open()
        began = time.perf_counter()
        for key in self._trace.keys:
            await asyncio.sleep(max(0.0, began + key.at - time.perf_counter()))
            await self._press(key)
            pressed()
        await self._finish()
        return self.log

    async def rush(self, wait_every: int, pressed: Callable[[], None] = lambda: None) -> Log:
        """Type all of it as fast as the engine notices keys, waiting for one suggestion in `wait_every`."""
        await self._open()
        for count, key in enumerate(self._trace.keys):
            await self._press(key)
            await asyncio.gather(*self._pings)
            if count % wait_every == 0 and self._request:
                await asyncio.wait([self._request], timeout=PATIENCE)
            pressed()
        await self._finish()
        return self.log

    async def _open(self) -> None:
        for file, text in self.texts.items():
            await self._engine.open(file, text)

    async def _press(self, key: Key) -> None:
        if self._request and not self._request.done():
            self._request.cancel()
        before, pressed = self.texts[key.file], time.perf_counter()
        if key.edit:
            self.texts[key.file] = key.edit.apply(before)
            await self._engine.change(key.file, before, key)
        if key.asks:
            self.log.requests += 1
            self._request = asyncio.create_task(self._ask(key.file, self.texts[key.file], key.cursor, pressed))
        ping = asyncio.create_task(self._notice(pressed))
        self._pings.add(ping)
        ping.add_done_callback(self._pings.discard)

    async def _ask(self, file: str, text: str, cursor: int, pressed: float) -> None:
        before = text[:cursor]
        foreseen = self._foresees(file, before)
        try:
            suggestion = await self._engine.ask(file, text, cursor)
        except asyncio.CancelledError:
            self.log.cancelled += 1
            raise
        seconds = time.perf_counter() - pressed
        self.log.latencies.append(seconds)
        self.log.shown += bool(suggestion)
        if not foreseen:
            self.log.departed.append(seconds)
        self._screen = (file, before, suggestion)

    def _foresees(self, file: str, before: str) -> bool:
        """Whether the suggestion on the screen goes on as was typed."""
        shown_in, shown_at, suggestion = self._screen
        typed = before[len(shown_at) :]
        return file == shown_in and before.startswith(shown_at) and suggestion.startswith(typed) and bool(typed)

    async def _notice(self, pressed: float) -> None:
        await self._engine.ping()
        self.log.lags.append(time.perf_counter() - pressed)

    async def _finish(self) -> None:
        waiting = [*self._pings, *([self._request] if self._request else [])]
        if waiting:
            await asyncio.wait(waiting, timeout=PATIENCE)
