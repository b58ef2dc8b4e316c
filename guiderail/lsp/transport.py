"""Reads and writes frames: over standard input and output, and over a network connection.

The event loop never waits for a client: what is written is queued, and a client that lets the queue grow without
end is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable

from guiderail.lsp.frame_parser import FrameParser

log = logging.getLogger(__name__)

FRAME_LIMIT = 256_000_000  # bytes
STALLED_S = 1.0  # without a byte in the middle of a body, after which it is checked for being whole
BACKLOG_LIMIT = 64_000_000  # bytes that a client has not read


async def frames(reader: asyncio.StreamReader, limit: Callable[[], int] = lambda: FRAME_LIMIT) -> AsyncIterator[bytes]:
    """The bodies of the frames that come; what belongs to none is passed over.

    A body that is a whole message, although it was announced as longer, is not waited for for ever.

    Raises
    ------
    FrameError
        A frame is longer than `limit` says, or nothing that comes is a frame.
    """
    parser, patient = FrameParser(limit), False
    while True:
        try:
            waiting = parser.is_inside and not patient
            data = await asyncio.wait_for(reader.read(1 << 16), STALLED_S if waiting else None)
        except TimeoutError:
            patient = (body := parser.whole_message()) is None
            if body is not None:
                yield body
            continue
        patient = False
        for body in parser.feed(data):
            yield body
        if not data:
            return


class PipeWriter:
    """Writes to a pipe from a thread of its own.

    Parameters
    ----------
    descriptor
        Where to.
    on_lost
        Called, on the event loop, when the client reads no more.
    """

    def __init__(self, descriptor: int, on_lost: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._backlog = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="guiderail-writer", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Queue one frame."""
        with self._lock:
            self._backlog += len(data)
            full = self._backlog > BACKLOG_LIMIT
        if full:
            log.error("the client does not read its messages: disconnecting it")
            self._on_lost()
        else:
            self._queue.put(data)

    def close(self, seconds: float = 0.5) -> None:
        """Write what is queued, for so many seconds at most."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
                with self._lock:
                    self._backlog -= len(data)
        except OSError:  # the other end is closed
            _call(self._loop, self._on_lost)


class SocketWriter:
    """Writes to a network connection, whose transport queues."""

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Queue one frame."""
        if self._stream.is_closing():
            return
        self._stream.write(data)
        if self._stream.transport.get_write_buffer_size() > BACKLOG_LIMIT:
            log.error("the client does not read its messages: disconnecting it")
            self._stream.transport.abort()

    def close(self) -> None:
        """Close the connection when what is queued is written."""
        self._stream.close()


class _PipeTransport(asyncio.ReadTransport):
    """Makes the thread that reads a pipe wait until its data is taken, so that no client can fill the memory.

    A `StreamReader` pauses its transport when it holds too much, and has it go on when that was taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.resumed = threading.Semaphore(0)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.resumed.release()


def pipe_reader(descriptor: int) -> asyncio.StreamReader:
    """A pipe as an asynchronous stream, read by a thread of its own: a thread pool would be waited for at the end.

    The descriptor is read itself: a buffered stream would stay locked by its reader, and the interpreter trips over
    that at its end.
    """
    reader, loop, transport = asyncio.StreamReader(), asyncio.get_running_loop(), _PipeTransport()
    reader.set_transport(transport)

    def hand_over(data: bytes) -> None:
        if not data:
            reader.feed_eof()
            return
        reader.feed_data(data)
        if not transport.paused:
            transport.resumed.release()

    def read() -> None:
        data = b"-"
        while data:
            try:
                data = os.read(descriptor, 1 << 16)
            except OSError:
                data = b""
            _call(loop, hand_over, data)
            if data:
                transport.resumed.acquire()

    threading.Thread(target=read, name="guiderail-reader", daemon=True).start()
    return reader


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """Call a function on the loop, unless that has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)
