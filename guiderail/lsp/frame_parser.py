r"""Finds the messages in a stream of bytes, also after a wrong ``Content-Length``.

JSON has no line feed inside a string, and no ``Content-Length: 7`` outside one. So a line that ends with that begins a
new frame, even in the middle of a body that is shorter than announced, or after the rest of one that is longer. At most
one body and the beginning of one line are kept, and each byte is read a bounded number of times.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

LINE_LIMIT = 1 << 16  # bytes of a header's line; of longer ones only the end is looked at
SKIPPED_LIMIT = 16_000_000  # bytes in a row that belong to no frame
LINE_COST = 64  # bytes as which a line counts at least: short ones take as long
_TAIL = 120  # bytes in which a line's end announces a frame
_LENGTH = re.compile(rb"(?<!-)content-length[ \t]{0,16}:[ \t]{0,16}(\d{1,40})[ \t]{0,16}\r?\Z", re.IGNORECASE)
_END = re.compile(rb"\d[ \t]{0,16}\r?\n")  # of a line that may announce a frame
_OTHER_HEADER = re.compile(rb"(?:\A|[\r\n])content-type:[^\r\n]{0,200}\r?\n\Z", re.IGNORECASE)


class FrameError(Exception):
    """The client sends no frames, or too long ones; the message says which."""


class FrameParser:
    """Splits a stream of bytes into the bodies of its frames.

    Parameters
    ----------
    limit
        How long a body may be, in bytes.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._data = bytearray()
        self._scanned = 0  # how much of the data is known to hold no line's end that matters
        self._length: int | None = None  # of the body that is being received
        self._announced: int | None = None  # by the header that is being received
        self._contradicts = False  # that header, itself
        self._skipped = 0  # bytes passed over since the last frame
        self._warned = False

    @property
    def is_inside(self) -> bool:
        """Whether a body has begun and is not whole."""
        return self._length is not None and bool(self._data)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, and yield the bodies that are complete by them.

        Raises
        ------
        FrameError
            A body is to be longer than the limit, or no frame was found in so many bytes.
        """
        self._data += data
        while True:
            if self._length is None:
                if not self._header():
                    return
            else:
                body = self._body()
                if body is None:
                    return
                self._skipped, self._warned = 0, False
                yield body

    def whole_message(self) -> bytes | None:
        """The body so far, if it is a whole message although a longer one was announced."""
        data = bytes(self._data).strip() if self.is_inside else b""
        if not data.endswith((b"}", b"]")):
            return None
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return None
        log.warning("a message is shorter than its Content-Length says")
        self._end_body(len(self._data))
        return data

    def _header(self) -> bool:
        """Read one line of a header; whether it was whole."""
        end = self._data.find(b"\n", self._scanned)
        if end < 0:
            if len(self._data) > LINE_LIMIT:
                self._pass(len(self._data) - _TAIL)
            self._scanned = len(self._data)
            return False
        line = bytes(self._data[max(0, end - _TAIL) : end])
        is_whole = end <= _TAIL
        self._take(end + 1)
        found = _LENGTH.search(line)
        self._count(max(end + 1, LINE_COST))
        if found:
            if not (is_whole and found.start() == 0):
                self._announced = None  # glued to something else: another header begins
            self._contradicts = self._announced not in {None, int(found[1])}
            self._announced = int(found[1])
        elif is_whole and not line.strip():
            self._begin()
        return True

    def _begin(self) -> None:
        """Begin the body that the header announced, if it did."""
        announced, self._announced = self._announced, None
        if announced is None or self._contradicts:
            if not self._warned:
                self._warned = True
                log.warning("passed over a header with %s", "no length" if announced is None else "several lengths")
            return
        self._length = announced
        if self._length > self._limit():
            raise FrameError(f"a message of {self._length} bytes; {self._limit()} are allowed")

    def _body(self) -> bytes | None:
        """Receive the body; None if it is not whole yet."""
        assert self._length is not None
        stop = min(self._length, len(self._data))
        while line := _END.search(self._data, self._scanned, stop):
            end, begin = line.end() - 1, max(0, line.end() - 1 - _TAIL)
            found = _LENGTH.search(bytes(self._data[begin:end]))
            if found:
                return self._cut(begin + found.start())
            self._scanned = end + 1
        self._scanned = max(self._scanned, stop - _TAIL)  # the end of a line may be half there
        if len(self._data) < self._length:
            return None
        body = bytes(self._data[: self._length])
        self._end_body(self._length)
        if not body.rstrip().endswith((b"}", b"]")):
            self._data[:0] = body[-_TAIL:]  # cut off in the middle, perhaps of the next header
        return body

    def _cut(self, at: int) -> bytes:
        """End the body where another frame begins inside it, and return it."""
        log.warning("a message is shorter than its Content-Length says")
        body = bytes(self._data[:at])
        self._end_body(at)
        other = _OTHER_HEADER.search(body)
        return body[: other.start()] if other else body

    def _end_body(self, length: int) -> None:
        self._length = None
        self._take(length)

    def _take(self, count: int) -> None:
        del self._data[:count]
        self._scanned = 0

    def _pass(self, count: int) -> None:
        self._take(count)
        self._count(count)

    def _count(self, passed: int) -> None:
        """Count bytes that belong to no frame; of too many in a row the client is given up."""
        self._skipped += passed
        if self._skipped > SKIPPED_LIMIT:
            raise FrameError(f"{self._skipped} bytes without a message")
