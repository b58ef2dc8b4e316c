"""Messages to and from a server: whatever it sends takes bounded time and memory here.

A server may be faulty, or misled by the project that it reads. Messages are read up to a size limit, only expected
answers are accepted, and the server's requests are answered here. pygls is used for writing only: its reader would
execute ``exit`` or ``workspace/executeCommand`` from any server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient
from pygls.protocol import LanguageServerProtocol

from guiderail import __version__
from guiderail.monitors.analysis.json_reader import read_json

log = logging.getLogger(__name__)
MOST_BYTES = 32 << 20  # of one message: all names of large C++ headers take a few million
MOST_UNREAD = 32 << 20  # bytes that a server has been told and has not read
PERIOD_S = 10.0
MOST_UNASKED = 20_000  # messages in a period that were not asked for
MOST_UNASKED_BYTES = 128 << 20  # and what they take
MOST_GARBAGE = 1000  # messages in a conversation that were none
MOST_ITEMS = 1000  # settings that are asked for at once
LONGEST_ID = 1000
HALF = re.compile("[\ud800-\udfff]")  # half of a character, which no text can hold
ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
NOT_FOUND = -32601  # JSON-RPC's code of a method that is not known
GRANTED = (
    lsp.CLIENT_REGISTER_CAPABILITY,
    lsp.CLIENT_UNREGISTER_CAPABILITY,
    lsp.WINDOW_WORK_DONE_PROGRESS_CREATE,
)
# pygls reports with a traceback what a server sends amiss; here that is expected, and counted by the analyser.
logging.getLogger("pygls").setLevel(logging.CRITICAL)


class TrafficError(ValueError):
    """A server sends too much, or what is no message; the text says what it did."""


class Rpc(LanguageClient):
    """The requests and notifications of LSP, typed, and plain answers to them.

    A server that strays from the letter of LSP somewhere (ty's capabilities do) must not make everything else that it
    says unreadable.

    Parameters
    ----------
    settings
        The answers to ``workspace/configuration``, by section.
    publish
        Takes the parameters of ``textDocument/publishDiagnostics``.
    """

    def __init__(self, settings: Callable[[], Mapping[str, Any]], publish: Callable[[Any], None]) -> None:
        super().__init__("guiderail", __version__, protocol_cls=LanguageServerProtocol)
        self.garbage = 0  # messages that were no LSP
        self.received = 0  # bytes
        self._settings = settings
        self._publish = publish
        self._period = 0.0
        self._unasked = self._unasked_bytes = 0

    def receive(self, body: bytes) -> None:
        """Handle one message; count it if it is none.

        Raises
        ------
        TrafficError
            There have been too many that were not asked for.
        """
        self.received += len(body)
        try:
            asked = self._handle(parsed(body))
        except Exception as error:  # whatever a message does to its reader, the next one may be better
            self.garbage += 1
            log.debug("not a message: %r", error)
            asked = False
        if self.garbage > MOST_GARBAGE:
            raise TrafficError("talks nonsense")
        if not asked:
            self._count(len(body))

    def _handle(self, message: dict[str, Any]) -> bool:
        """Take a message; whether it is an answer that was waited for."""
        method, params = message.get("method"), message.get("params")
        if method is None:
            return self._answered(message)
        if method == lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS:
            self._publish(params)
        elif "id" in message:
            self._serve(_id(message["id"]), method, params)
        return False  # of other notifications (logs, progress) nothing is wanted

    def _answered(self, message: dict[str, Any]) -> bool:
        future = self.protocol._request_futures.pop(message["id"], None)
        self.protocol._result_types.pop(message["id"], None)
        if future is None or future.done():
            return False
        if "result" in message:
            future.set_result(message["result"])
        else:
            error = message.get("error")
            code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
            future.set_exception(JsonRpcException(str(text)[:MOST_ITEMS], code if isinstance(code, int) else 0))
        return True

    def _serve(self, number: int | str, method: Any, params: Any) -> None:
        """Answer a request of the server's: nothing is changed, opened or run for it."""
        if method == lsp.WORKSPACE_CONFIGURATION:
            sections = [str(item.get("section") or "") for item in params["items"][:MOST_ITEMS]]
            settings = self._settings()
            self._reply(number, result=[settings.get(section) for section in sections])
        elif method in GRANTED:
            self._reply(number, result=None)
        else:
            self._reply(number, error={"code": NOT_FOUND, "message": "guiderail does not do that"})

    def _reply(self, number: int | str, **answer: Any) -> None:
        self.protocol._send_data({"jsonrpc": "2.0", "id": number} | answer)

    def _count(self, size: int) -> None:
        now = time.monotonic()
        if now - self._period > PERIOD_S:
            self._period, self._unasked, self._unasked_bytes = now, 0, 0
        self._unasked += 1
        self._unasked_bytes += size
        if self._unasked > MOST_UNASKED or self._unasked_bytes > MOST_UNASKED_BYTES:
            raise TrafficError("sends without end messages that were not requested")

    def abandon(self, reason: str) -> None:
        """Fail all requests that wait."""
        for future in self.protocol._request_futures.values():
            if not future.done():
                future.set_exception(ConnectionError(reason))


class Writer:
    """A stream that may have closed: writing to a dead server is no error here, waiting for its answer is.

    Parameters
    ----------
    stream
        The server's input.
    overflow
        Called when the server does not read what it is told.
    """

    def __init__(self, stream: asyncio.StreamWriter, overflow: Callable[[], None]) -> None:
        self._stream = stream
        self._overflow = overflow

    def write(self, data: bytes) -> None:
        """Send bytes; none to a closed stream."""
        if self._stream.is_closing():
            return
        if self._stream.transport.get_write_buffer_size() > MOST_UNREAD:
            self._overflow()
        else:
            self._stream.write(data)

    def close(self) -> None:
        """Send no more."""
        self._stream.close()


def parsed(body: bytes) -> dict[str, Any]:
    """A message from JSON, in which every string is a text and every number is one.

    Raises
    ------
    ValueError, RecursionError
        It is no message.
    """
    message = read_json(body.decode())
    if ESCAPED_HALF.search(body):  # pairs of halves have become one character, and these stay
        plain = json.dumps(message, ensure_ascii=False)
        message = read_json(HALF.sub("\N{REPLACEMENT CHARACTER}", plain))
    if not isinstance(message, dict):
        raise ValueError("no object")
    return message


async def message_from(stream: asyncio.StreamReader) -> bytes:
    """The body of the next message.

    Raises
    ------
    ValueError
        What comes is no LSP, or too much.
    asyncio.IncompleteReadError
        The stream ended.
    """
    try:
        header = await stream.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("no header") from error
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            if len(value) > 20 or int(value) > MOST_BYTES:
                raise TrafficError(f"sent a message of more than {MOST_BYTES >> 20} MB")
            return await stream.readexactly(int(value))
    raise ValueError("a header without a length")


def _id(value: Any) -> int | str:
    """The id of a request, if it is one that can be sent back."""
    if isinstance(value, bool) or not isinstance(value, (int, str)) or len(str(value)) > LONGEST_ID:
        raise ValueError("no id")
    return value
