"""Frames of any kind: after them a well-formed request is answered, or the conversation has ended with a reason."""

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guiderail.lsp import transport
from guiderail.lsp.frame_parser import LINE_LIMIT, FrameError, FrameParser
from guiderail.lsp.transport import frames, pipe_reader
from tests.lsp.client import Client, connected
from tests.lsp.fakes import FakeEngine
from tests.lsp.test_process import Wire, environment, started

pytestmark = pytest.mark.asyncio

COUNT = 10_000
METHODS = (
    "initialize", "initialized", "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
    "textDocument/didSave", "textDocument/inlineCompletion", "textDocument/completion", "workspace/executeCommand",
    "workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles", "workspace/didChangeWorkspaceFolders",
    "workspace/didRenameFiles", "workspace/didDeleteFiles", "guiderail/status", "guiderail/language",
    "textDocument/didShowCompletion", "textDocument/didPartiallyAcceptCompletion", "$/cancelRequest", "$/setTrace",
    "$/progress", "window/workDoneProgress/cancel", "notebookDocument/didOpen", "nope", "", "\ud83d", "a\nb\x1b[2J",
)  # fmt: skip
KEYS = (
    "textDocument", "position", "context", "uri", "version", "text", "contentChanges", "range", "start", "end", "line",
    "character", "command", "arguments", "settings", "guiderail", "id", "token", "languageId", "items", "files",
    "event", "added", "removed", "changes", "oldUri", "newUri", "type", "triggerKind", "selectedCompletionInfo",
    "item", "acceptedLength", "value", "scope", "enable", "enableLanguages", "disablePaths", "maxSuggestions",
)  # fmt: skip
COMMANDS = ("guiderail.accept", "guiderail.toggle", "guiderail.explain", "guiderail.showLog", "guiderail.restart")
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(10**30), 0.5, 1e308, "", "x", "untitled:1", "file:///tmp/a.py",
    "file:///%00", "\ud83d", "\udc00\ud83d", "🙂", "a\u2028b", "x" * 3000, [], {}, "python", *COMMANDS,
)  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can say, more often than not with the protocol's names."""
    kind = rng.random()
    if depth > 4 or kind < 0.4:
        return rng.choice(LEAVES)
    if kind < 0.5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(5))}


def message(rng: random.Random) -> Any:
    """A message that is wrong somewhere, or nowhere."""
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": rng.choice(METHODS), "params": value(rng)}
    if rng.random() < 0.6:
        made["id"] = rng.choice((1, 2, -5, "a", "\ud83d", None, 1.5, True, [], {}, 10**25, f"n{rng.random()}"))
    if rng.random() < 0.1:
        made.pop(rng.choice(tuple(made)))
    if rng.random() < 0.05:
        made["jsonrpc"] = rng.choice(("1.0", None, 2, []))
    if rng.random() < 0.05:
        made["result"] = value(rng)
    return [made, made] if rng.random() < 0.03 else made


def body(rng: random.Random) -> bytes:
    """The bytes of a message, or of something that is none."""
    kind = rng.random()
    if kind < 0.04:
        return rng.choice((b"[", b'{"a":')) * rng.choice((10, 2000, 100_000))
    if kind < 0.08:
        return rng.randbytes(rng.randrange(200))
    if kind < 0.1:
        return b'{"jsonrpc":"2.0","id":%s,"method":"guiderail/status"}' % (b"9" * rng.choice((30, 5000)))
    if kind < 0.12:
        return b'{"jsonrpc":"2.0","id":NaN,"method":"guiderail/status","params":Infinity}'
    made = json.dumps(message(rng), ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
    if kind < 0.2:
        made = bytearray(made)
        for _ in range(rng.randrange(1, 4)):
            made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made[: rng.randrange(len(made))] if kind > 0.95 else made)


def header(rng: random.Random, length: int) -> bytes:
    """A header for a body: mostly right."""
    kind = rng.random()
    if kind < 0.6:
        return b"Content-Length: %d\r\n\r\n" % length
    wrong = max(0, length + rng.choice((-length, -20, -3, -1, 1, 2, 5, 30, 1000, 100_000)))
    return rng.choice(
        (
            b"Content-Length: %d\r\n\r\n" % wrong,
            b"Content-Length: %d\r\n\r\n" % wrong,
            b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (wrong, length),
            b"Content-Length: -%d\r\n\r\n" % length,
            b"Content-Length: x\r\n\r\n",
            b"Content-Length:\r\n\r\n",
            b"\r\n\r\n",
            b"",
            b"Content-Length: %d\n\n" % length,
            b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % wrong,
            b"X" * rng.choice((10, 100_000)) + b"\r\n",
            b"Content-Length: %d" % wrong,
            rng.randbytes(rng.randrange(60)),
        )
    )


def frame(rng: random.Random) -> bytes:
    made = body(rng)
    return header(rng, len(made)) + made


def well_formed(number: int) -> bytes:
    made = json.dumps({"jsonrpc": "2.0", "id": number, "method": "guiderail/status"}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(made) + made


@contextlib.asynccontextmanager
async def piped(client: Client, seen: Callable[[bytes], None] = lambda _: None):
    """A pipe whose frames the client's server gets; the writing end, and the task that listens."""
    source, target = os.pipe()
    os.set_blocking(target, False)

    async def listen() -> None:
        async for one in frames(pipe_reader(source), lambda: 1_000_000):
            seen(one)
            client.server.protocol.receive(one)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(listen())

    async def write(data: bytes) -> None:
        while data and not task.done():
            try:
                data = data[os.write(target, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    try:
        yield write, task
    finally:
        os.close(target)
        with contextlib.suppress(FrameError):
            await asyncio.wait_for(task, 10)
        os.close(source)


async def replied(client: Client, number: int, seconds: float = 5.0) -> bool:
    """Whether a reply to a request came."""
    end = time.monotonic() + seconds
    while not any(reply.get("id") == number for reply in client.replies):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.005)
    return True


@pytest.mark.parametrize("seed", range(4))
async def test_after_thousands_of_frames_a_request_is_answered(seed: int) -> None:
    """Of 10,000 frames, right and wrong in head and body, none makes the server deaf, and every reply is JSON."""
    rng, number = random.Random(seed), 1_000_000
    async with connected(FakeEngine("abc")) as client, piped(client) as (write, task):
        for count in range(COUNT // 4):
            await write(frame(rng))
            if count % 100 == 99:
                # The first may still be swallowed by what came before: a length that lies ends with the next header.
                for number in (number + 1, number + 2):  # noqa: B020
                    await write(well_formed(number))
                assert await replied(client, number)
                assert not task.done()
                assert all("id" in reply for reply in client.replies)
                client.replies.clear()
                client.heard.clear()
        assert not task.done()


def lies() -> Iterator[Any]:
    """Lengths that are wrong by something, in both directions."""
    good = well_formed(7).partition(b"\r\n\r\n")[2]
    for by in (*range(-len(good), 0), *range(1, 40), 54, 55, 100, 1000, 60_000):
        yield pytest.param(len(good) + by, id=f"{by:+}")


@pytest.mark.parametrize("length", list(lies()))
async def test_a_wrong_length_costs_one_message(length: int) -> None:
    """Whatever a length is wrong by, the very next request is answered; one that is too long costs none."""
    good = well_formed(7).partition(b"\r\n\r\n")[2]
    async with connected() as client, piped(client) as (write, _):
        await write(b"Content-Length: %d\r\n\r\n" % length + good + well_formed(8) + well_formed(9))
        assert await replied(client, 8)
        assert await replied(client, 9)
        assert {reply["id"] for reply in client.replies} - {7} >= {8, 9}


async def test_a_request_that_is_announced_too_long_is_answered_when_nothing_more_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that waits for its answer sends nothing more."""
    monkeypatch.setattr(transport, "STALLED_S", 0.05)
    good = well_formed(7).partition(b"\r\n\r\n")[2]
    async with connected() as client, piped(client) as (write, _):
        await write(b"Content-Length: %d\r\n\r\n" % (len(good) + 5) + good)
        assert await replied(client, 7)
        await write(b"     " + well_formed(8))
        assert await replied(client, 8)


async def test_a_slow_body_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that comes in pieces, with pauses anywhere, is one message."""
    monkeypatch.setattr(transport, "STALLED_S", 0.01)
    whole = well_formed(7)
    async with connected() as client, piped(client) as (write, _):
        for start in range(0, len(whole), 7):
            await write(whole[start : start + 7])
            await asyncio.sleep(0.03)
        assert await replied(client, 7)
        assert not [reply for reply in client.replies if "error" in reply]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4096])
async def test_frames_do_not_depend_on_how_they_are_cut(size: int) -> None:
    """Bytes that come singly or at once give the same bodies."""
    rng = random.Random(size)
    good = [json.dumps({"text": f"Content-Length: 5\r\n\r\n{rng.random()}", "n": n}).encode() for n in range(20)]
    data = b"".join(b"Content-Length: %d\r\n\r\n" % len(one) + one for one in good)
    framing = FrameParser(lambda: 1000)
    found = [one for at in range(0, len(data), size) for one in framing.feed(data[at : at + size])]
    assert found == good


async def test_a_text_that_quotes_a_header_is_a_text() -> None:
    """Source that contains a frame is no frame, pretty-printed JSON or not."""
    text = "Content-Length: 5\r\n\r\n{}\nContent-Length: 2\n\n{}"
    for indent in (None, 2):
        made = json.dumps({"text": text, "Content-Length": 7, "list": [1, 2]}, indent=indent).encode()
        found = list(FrameParser(lambda: 1000).feed(b"Content-Length: %d\r\n\r\n" % len(made) + made))
        assert [json.loads(one)["text"] for one in found] == [text]


@pytest.mark.parametrize(
    "piece",
    [b"x" * 65_536, b"\r\n" * 10_000, b"X-A: b\r\n" * 5000, b"Content-Length: 5\r\n" * 3000, b"\0" * 65_536],
    ids=["no line ends", "empty lines", "headers", "lengths", "zeros"],
)
async def test_what_never_becomes_a_frame_ends(piece: bytes) -> None:
    """Headers without an end fill no memory, take linear time, and are given up with a reason."""
    framing, fed = FrameParser(lambda: 1_000_000), 0
    began = time.monotonic()
    with pytest.raises(FrameError, match="without a message"):
        while fed < 100_000_000:
            for _ in framing.feed(piece):
                pass
            fed += len(piece)
            assert len(framing._data) <= LINE_LIMIT + len(piece)
    assert time.monotonic() - began < 20


async def test_a_body_without_end_takes_linear_time() -> None:
    """A long body that comes in small pieces is looked through once."""
    framing, piece = FrameParser(lambda: 1 << 30), b"x" * 1000 + b"\n"
    began = time.monotonic()
    for _ in framing.feed(b"Content-Length: 1000000000\r\n\r\n"):
        pass
    for _ in range(20_000):
        assert list(framing.feed(piece)) == []
    assert time.monotonic() - began < 10


async def test_a_pipe_is_not_read_ahead_of_the_server() -> None:
    """A client that sends faster than it is served waits: what it sends does not pile up in memory."""
    source, target = os.pipe()
    os.set_blocking(target, False)
    reader, written = pipe_reader(source), 0
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            written += os.write(target, b"x" * 65_536)
        except BlockingIOError:
            await asyncio.sleep(0.01)
    assert written < 4_000_000
    os.close(target)
    taken = 0
    while data := await asyncio.wait_for(reader.read(1 << 16), 10):
        taken += len(data)
    assert taken == written
    os.close(source)


async def test_a_batch_that_brings_texts_closes_their_documents() -> None:
    """The protocol has no batches; a change in one is not taken, and its document is not silently out of step."""
    async with connected() as client:
        uri = client.open("x = ")
        params = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "y = "}]}
        client.raw(json.dumps([{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}]).encode())
        assert client.replies[-1]["error"]["code"] == -32600
        assert await client.ghost(uri, 0, 4) == []
        assert client.state.buffers[uri].is_out_of_sync


@pytest.mark.parametrize("asked", [[], {}, 1.5, True, float("nan")])
async def test_an_id_that_is_none_is_refused(asked: Any) -> None:
    """A reply repeats no id that JSON-RPC does not have."""
    async with connected() as client:
        client.raw({"id": asked, "method": "guiderail/status"})
        await client.settle()
        assert [client.replies[-1]["id"], client.replies[-1]["error"]["code"]] == [None, -32600]


@pytest.mark.e2e
async def test_a_real_server_hears_or_ends(tmp_path: Path) -> None:
    """Over its pipes: after hundreds of frames it answers; to a frame that is too long it says why, and ends."""
    rng = random.Random(5)
    async with started(environment(tmp_path, tmp_path / "no model"), cwd=tmp_path) as process:
        wire = Wire(process.stdout, process.stdin)
        await wire.hello()
        wire._count = 10_000_000  # no id that occurs in the frames
        for _ in range(3):
            for _ in range(150):
                process.stdin.write(frame(rng))
            await process.stdin.drain()
            process.stdin.write(well_formed(10**9))
            assert "result" in await wire.reply(wire.begin("guiderail/status"))
        process.stdin.write(b"Content-Length: 99999999999\r\n\r\n{}")
        await process.stdin.drain()
        last = None
        while (one := await asyncio.wait_for(wire.receive(), 20)) is not None:
            last = one
        assert last is not None
        assert "99999999999 bytes" in last["error"]["message"]
        assert await asyncio.wait_for(process.wait(), 10) == 1
        log = next(tmp_path.rglob("lsp.log")).read_text()
        assert "giving up a client: a message of 99999999999 bytes" in log
