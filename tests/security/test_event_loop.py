"""The law of the event loop: no text and no message keeps it from others for long.

On a machine at rest that is less than a tenth of a second. A busy or slow one needs several times as long for the same
work, and a test does not judge the machine: what breaks the law takes seconds, and grows with the square of the text.
"""

import asyncio
import gc
import json
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from guiderail.decoding.stops import BlockStop, stop_rule
from guiderail.engine.engine import Engine
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.worker import Worker
from guiderail.monitors.analysis import json_reader
from guiderail.monitors.analysis.answers import Member, Members
from guiderail.monitors.analysis.wire import parsed
from guiderail.prompt.window import choose_window
from guiderail.text.document import Document
from tests.helpers.models import tiny_folder, tiny_model
from tests.lsp.client import Client, at, connected
from tests.lsp.fakes import FakeEngine
from tests.security.test_long_texts import TEXTS

GAP = 1.0  # seconds
TRIES = 3  # the best of which counts
LINES = ("words", "mixed", "opening", "each_on_its_line", "nested", "numbers", "constant", "members", "blanks")


class Pulse:
    """Beats on the event loop, and knows the longest time between two beats.

    What counts is the processor's time of this process: of the time in which others ran it knows nothing.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.monotonic(), time.process_time()

    def beat(self) -> None:
        now = time.monotonic(), time.process_time()
        self.longest = max(self.longest, min(now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def rest(self) -> None:
        """Forget what was."""
        self.beat()
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            self.beat()
            await asyncio.sleep(0.004)


@asynccontextmanager
async def beating() -> AsyncIterator[Pulse]:
    gc.collect()
    gc.freeze()  # as the server does: a collection looks at all that a test run has imported
    pulse = Pulse()
    task = asyncio.ensure_future(pulse.run())
    try:
        yield pulse
    finally:
        task.cancel()
        gc.unfreeze()


class Answering:
    """An analyser, and all analysers: knows the same two members of everything."""

    name = "answering"

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def get(self, language: str, folder: Path) -> "Answering":
        return self

    def ask(self, request: Any, question: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(Members((Member("a", 5, "int"), Member("b", 20, "str")), complete=True))
        return future

    def attend(self) -> None: ...

    def trim(self, folders: set[Path]) -> list[Any]:
        return []

    def files_changed(self, paths: list[Path]) -> None: ...

    def stop(self) -> None: ...


async def typed_and_asked(client: Client, text: str, uri: str) -> None:
    """Open a document, type at its end and in its middle, and ask for all kinds of suggestions there."""
    client.open(text, uri)
    lines = text.split("\n")
    last = [len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2]
    for key in "self.":
        client.change(uri, last[0], last[1], last[1], key)
        last[1] += 1
        await asyncio.sleep(0)
    where = at(uri, *last)
    await client.ask("textDocument/inlineCompletion", where | {"context": {"triggerKind": 1}}, 120)
    await client.ask("textDocument/completion", where, 120)
    line = lines[len(lines) // 2]
    middle = [len(lines) // 2, len(line[: len(line) // 2].encode("utf-16-le")) // 2]
    client.change(uri, middle[0], middle[1], middle[1], "x")
    await client.ask("textDocument/inlineCompletion", at(uri, *middle) | {"context": {"triggerKind": 2}}, 120)
    client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
    await asyncio.sleep(0)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.asyncio
async def test_no_text_stops_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's loop beside a model and monitors, on lines of 200,000 characters, brackets and constants."""
    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Answering)
    flags = {"model": str(tiny_folder("guiderail")), "max_tokens": 4, "device": "cpu", "threads": 1, "verdict": "off"}
    worker = Worker(Engine())
    worker.start()
    server = Server(ServerProcess(worker, Path("/nowhere/lsp.log"), flags))
    client = Client(server, cast(FakeEngine, worker.engine))
    try:
        await client.ask("initialize", {"processId": None, "rootUri": tmp_path.as_uri(), "capabilities": {}})
        client.tell("initialized", {})
        while worker.health.state != "ready":
            assert worker.health.state != "error", worker.health
            await asyncio.sleep(0.02)
        await typed_and_asked(client, "import os\nx = ", (tmp_path / "short.py").as_uri())  # what begins once
        async with beating() as pulse:
            for name in LINES:
                gaps: list[float] = []
                while len(gaps) < TRIES and min(gaps, default=math.inf) > GAP:
                    pulse.rest()
                    await typed_and_asked(client, TEXTS[name], (tmp_path / f"{name}{len(gaps)}.py").as_uri())
                    gaps.append(pulse.longest)
                assert min(gaps) < GAP, (name, gaps)
    finally:
        server.close()
        assert worker.stop(20)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["words", "mixed", "each_on_its_line"])
async def test_thousands_of_changes_in_one_message_let_others_run(name: str) -> None:
    """Each change of a message copies the text; the next message waits until all are made, others do not."""
    count, text = 5000, TEXTS[name]
    async with connected() as client, beating() as pulse:
        uri = client.open(text)
        span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
        change = {"range": span, "text": "b"}
        params = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change] * count}
        body = json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}).encode()
        pulse.rest()
        client.raw(body)
        buffer, began = client.state.buffers[uri], time.thread_time()
        await client.server.protocol.wait_for_exclusive()
        assert pulse.longest < GAP
        assert time.thread_time() - began < 20
        assert buffer.text == "b" * count + text
        assert not buffer.is_out_of_sync
        client.edit(uri, {"range": span, "text": "c"}, version=3)
        assert buffer.text.startswith("cb")


@pytest.mark.asyncio
async def test_a_client_that_goes_in_the_middle_of_its_changes_leaves_nothing_running() -> None:
    async with connected() as client:
        uri = client.open(TEXTS["short_lines"])
        span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
        client.edit(uri, *[{"range": span, "text": "b"}] * 5000)
        buffer = client.state.buffers[uri]
        client.server.close()
        await asyncio.wait_for(client.server.protocol.wait_for_exclusive(), 30)
        assert not buffer.text.startswith("b" * 5000)


def test_many_edits_are_the_same_at_once_and_one_by_one() -> None:
    """What a batch does to a text does not depend on how it is cut into messages."""
    from guiderail.lsp.buffer import Buffer

    texts = []
    for size in (1, 7, 50):
        buffer = Buffer("untitled:1", "python", "äöü\r\n😀 x\r\n" * 30, 1, "utf-16")
        changes = [
            types.TextDocumentContentChangePartial(
                types.Range(types.Position(n % 40, n % 3), types.Position(n % 40, n % 3)), f"{n}\n" if n % 5 else "é"
            )
            for n in range(50)
        ]
        for start in range(0, 50, size):
            buffer.apply(changes[start : start + size])
        texts.append((buffer.text, buffer.is_out_of_sync, buffer.cursor))
    assert len(set(texts)) == 1


def test_blanks_without_end_are_counted_soon() -> None:
    """How many blanks a tokenizer joins with a word was tried for each of them: 200,000 times 200,000."""
    tokenizer = tiny_model("guiderail").tokenizer
    began = time.thread_time()
    joined = tokenizer.joined_blanks(" " * 200_000)
    assert time.thread_time() - began < 2.0
    assert 0 <= joined <= 200


@pytest.mark.parametrize("name", ["words", "mixed", "blanks", "numbers"])
def test_a_long_line_is_not_encoded_again_and_again(name: str) -> None:
    """To find what of a line fits into a prompt, little more of it is encoded than fits."""
    text, read = TEXTS[name], []

    def count(part: str) -> int:
        read.append(len(part))
        return len(part) // 4

    document = Document(text)
    window = choose_window(document, len(text) // 2, typed=0, budget=2000, count=count, with_suffix=True)
    assert window.stop - window.start > 7000
    assert sum(read) < 6 * len(text)


@pytest.mark.parametrize(
    "line",
    [
        "    " + "x" * 5000,
        " " * 5000,
        "    " + '"""' + "x" * 5000,
        "    " + '""" a """' + "x" * 5000 + ":",
        "  " + "x" * 5000 + '"""',
        "  " + "x" * 5000 + '""',
        "\tif " + "x" * 5000 + ":",
        "@" + "x" * 5000,
        "  # " + "x" * 5000,
        "f(" + "x, " * 3000,
    ],
)
def test_a_block_ends_behind_a_long_line_as_behind_a_short_one(line: str) -> None:
    """The rule reads little of a line for each token, and cuts where the rule on all of it does."""
    texts = [
        "\n    y\nz\n",
        '"\n y\n"""\n    x\nz\n',
        ":\n        y\n    z\nq\n",
        ")\n    y\n\n\nz",
        "\n      y\n  z\nz\n",
    ]
    short = stop_rule("block", line)
    assert isinstance(short, BlockStop)
    assert len(short.before) < 2500
    for text in texts:
        for end in range(len(text) + 1):
            assert short.end(text[:end]) == BlockStop(line).end(text[:end])


@pytest.mark.asyncio
async def test_an_analysers_long_answer_lets_others_run() -> None:
    """An analyser says a lot of a line of 40,000 members; while that is read in its thread, the event loop goes on."""
    found = {"range": {"start": {"line": 0, "character": 1}, "end": {"line": 0, "character": 4}}, "severity": 1}
    one = found | {"message": "Object of class `X` has no attribute `self`", "source": "Pyrefly", "code": "x" * 20}
    for path in (("params", "diagnostics"), ("result",)):
        message: Any = [one] * 60_000
        for key in reversed(path):
            message = {key: message}
        body = json.dumps({"jsonrpc": "2.0", "id": 1} | message).encode()
        assert len(body) > 10_000_000
        began = time.thread_time()
        json.loads(body)
        at_once = time.thread_time() - began  # how long the interpreter is held by who reads it in one go
        gaps: list[float] = []
        made: Any = None
        while len(gaps) < TRIES and min(gaps, default=math.inf) > at_once / 2:
            async with beating() as pulse:
                await asyncio.sleep(0.01)
                pulse.rest()
                made = await asyncio.to_thread(parsed, body)
                await asyncio.sleep(0.01)
                gaps.append(pulse.longest)
        assert min(gaps) < at_once / 2, (gaps, at_once)
        assert made == json.loads(body)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)


@given(_VALUES, st.sampled_from([None, 2]), st.data())
@settings(max_examples=60, deadline=None)
def test_json_in_pieces_is_json(value: Any, indent: int | None, data: st.DataObject) -> None:
    """Read piece by piece a text says what it says, and one that is no JSON is none."""
    text = json.dumps(value, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "LONG", 0)
        assert json_reader.read_json(text) == value
        at = data.draw(st.integers(0, len(text)))
        broken = text[:at] + data.draw(st.sampled_from('[]{},:"0x ')) + text[at + data.draw(st.integers(0, 1)) :]
        try:
            wanted = json.loads(broken)
        except ValueError:
            with pytest.raises(ValueError):
                json_reader.read_json(broken)
        else:
            assert json_reader.read_json(broken) == wanted
