"""Frames, and clients that do not read."""

import asyncio
import os

import pytest

from guiderail.lsp import transport
from guiderail.lsp.frame_parser import FrameError
from guiderail.lsp.transport import PipeWriter, frames, pipe_reader

pytestmark = pytest.mark.asyncio


async def bodies(data: bytes, limit: int = 1000) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return [body async for body in frames(reader, lambda: limit)]


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"X-Other: 1\r\n\r\n",  # a header without a length
        b"\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"x" * 200_000 + b"\r\n\r\n",  # longer than a line may be
    ],
)
async def test_what_is_no_frame_is_passed_over(noise: bytes) -> None:
    """After malformed headers the next frame is found again."""
    good = b"Content-Type: x\r\ncontent-length:  3\r\n\r\nabc"
    assert await bodies(noise + good + noise + b"Content-Length: 0\n\n" + good) == [b"abc", b"", b"abc"]


async def test_a_torn_frame_is_the_end() -> None:
    """A stream that ends inside a frame or a header ends the conversation without an error."""
    assert await bodies(b"Content-Length: 3\r\n\r\nabcContent-Length: 9\r\n\r\nab") == [b"abc"]
    assert await bodies(b"Content-Len") == []


@pytest.mark.parametrize("length", [1001, 10**15, 10**30])
async def test_a_frame_that_is_too_long_is_refused(length: int) -> None:
    """No client can make the server wait for, or take, more than the limit."""
    with pytest.raises(FrameError):
        await bodies(b"Content-Length: %d\r\n\r\n" % length)


async def test_a_pipe_is_read_and_written_in_order() -> None:
    """What is written to one end comes out of the other, to the last byte and the end."""
    source, target = os.pipe()
    reader = pipe_reader(source)
    writer = PipeWriter(target, lambda: None)
    data = [bytes([number % 256]) * 1000 for number in range(300)]
    for one in data:
        writer.write(one)
    assert await asyncio.wait_for(reader.readexactly(300_000), 10) == b"".join(data)
    writer.close()
    os.close(target)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    os.close(source)


async def test_a_client_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing never waits; when too much is queued the client is lost, and closing leaves the blocked thread after."""
    monkeypatch.setattr(transport, "BACKLOG_LIMIT", 1_000_000)
    source, target = os.pipe()
    lost = asyncio.Event()
    writer = PipeWriter(target, lost.set)
    for _ in range(30):
        writer.write(b"x" * 100_000)
    writer.close(0.2)
    assert lost.is_set()
    assert writer._thread.is_alive()
    os.close(source)  # lets the thread end: it gets EPIPE
    writer._thread.join(5)
    assert not writer._thread.is_alive()
    os.close(target)


async def test_a_closed_pipe_is_a_lost_client() -> None:
    """Writing to a client that went away tells so, once, on the event loop."""
    source, target = os.pipe()
    os.close(source)
    lost = asyncio.Event()
    PipeWriter(target, lost.set).write(b"x")
    await asyncio.wait_for(lost.wait(), 5)
    os.close(target)
