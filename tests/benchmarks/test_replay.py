"""The replay of typing: what is sent, and what is counted."""

import asyncio

import pytest

from guiderail.benchmarks.replay import Replay
from guiderail.benchmarks.trace import Key, Trace
from guiderail.text.edit import Edit

pytestmark = pytest.mark.asyncio


class Fake:
    """An engine that is told when to answer.

    Attributes
    ----------
    texts
        The files as the engine knows them from edits alone.
    """

    def __init__(self, suggestion: str, answers: set[str]) -> None:
        self.texts: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.given_up = 0
        self._suggestion, self._answers = suggestion, answers

    async def open(self, file: str, text: str) -> None:
        self.texts[file] = text

    async def change(self, file: str, before: str, key: Key) -> None:
        assert self.texts[file] == before
        assert key.edit
        self.texts[file] = key.edit.apply(before)

    async def ask(self, file: str, text: str, cursor: int) -> str:
        assert self.texts[file] == text
        self.asked.append((text[:cursor], text[cursor:]))
        try:
            if text[:cursor] not in self._answers:
                await asyncio.sleep(3600)
            return self._suggestion
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    async def ping(self) -> None:
        pass


def keys(*edits: Edit | None) -> Trace:
    """A tenth of a second apart, in a file that ends in a full stop."""
    found = [
        Key(0.05 * (count + 1), "a", "type" if edit else "move", edit, edit.start + len(edit.text) if edit else 0)
        for count, edit in enumerate(edits)
    ]
    return Trace({"a": "."}, found)


async def test_a_newer_key_gives_the_older_request_up() -> None:
    """Every typed key asks with the text as it is then; unanswered requests end with the next key."""
    engine = Fake("", {"xyz"})
    log = await Replay(keys(Edit(0, 0, "x"), Edit(1, 1, "y"), Edit(2, 2, "z")), engine).run()
    assert engine.asked == [("x", "."), ("xy", "."), ("xyz", ".")]
    assert (log.requests, log.cancelled, engine.given_up, len(log.latencies)) == (3, 2, 2, 1)
    assert engine.texts["a"] == "xyz."


async def test_a_moved_cursor_asks_nothing() -> None:
    """A move changes no text and asks nothing, but ends the request that waits."""
    engine = Fake("", set())
    log = await Replay(keys(Edit(0, 0, "x"), None), engine).run()
    assert (log.requests, log.cancelled, len(log.lags)) == (1, 1, 2)


async def test_keys_that_the_suggestion_foresaw_are_told_apart() -> None:
    """A key counts as departed unless it is the next character of what is on the screen."""
    engine = Fake("yq", {"x", "xy", "xyz"})
    log = await Replay(keys(Edit(0, 0, "x"), Edit(1, 1, "y"), Edit(2, 2, "z")), engine).run()
    assert (len(log.latencies), len(log.departed), log.shown) == (3, 2, 3)


async def test_the_row_holds_what_is_asked_for() -> None:
    """Shares lie between 0 and 1, milliseconds are those of the answered requests."""
    log = await Replay(keys(Edit(0, 0, "x")), Fake("y", {"x"})).rush(1)
    row = log.row()
    assert {"p50_ms", "p95_ms", "cancelled", "delayed_keys", "requests"} <= row.keys()
    assert row["p50_ms"] == round(1000 * log.latencies[0], 2)
    assert (row["requests"], row["cancelled"], row["shown"]) == (1, 0, 1)
