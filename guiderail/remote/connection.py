"""The connection to a model server: requests with limits on time and size, and streams that can be given up."""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from typing import Any

import httpx2

from guiderail.errors import UsageError
from guiderail.monitors.analysis.loop import shared
from guiderail.remote.address import Address
from guiderail.remote.errors import RemoteError, of_status, of_transport, unreadable

CONNECT_S = 5.0
SILENT_S = 120.0  # without a byte: a long prompt takes a busy CPU that long
WHOLE_S = 300.0  # of one answer, however steadily it drips
ASK_S = 10.0  # of a question about the server itself
LOOK_S = 0.02  # between two looks whether the request was given up
MOST_BYTES = 16 << 20  # of an answer

Cancelled = Callable[[], bool]


class Connection:
    """A client of one server; its requests run on a loop of their own, so that whoever waits can give up.

    Parameters
    ----------
    address
        Where the server is. Proxies of the environment are used for other machines alone, redirects never followed.
    key_env
        The environment variable that holds the key; empty for none.

    Attributes
    ----------
    requests
        How many were sent.

    Raises
    ------
    UsageError
        The variable is empty, or holds what no header can.
    """

    def __init__(self, address: Address, key_env: str = "") -> None:
        self.address = address
        self.requests = 0
        self._key_env = key_env
        self._client = httpx2.AsyncClient(
            headers=_headers(key_env),
            timeout=httpx2.Timeout(SILENT_S, connect=CONNECT_S),
            trust_env=not address.is_loopback,
            follow_redirects=False,
        )
        weakref.finalize(self, _close, self._client).atexit = False  # nobody ends a model: it is dropped

    def get(self, path: str) -> Any:
        """The JSON answer of a GET request; raises RemoteError."""
        return self._wait(self._ask("GET", path, None))

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer of a POST request; raises RemoteError."""
        return self._wait(self._ask("POST", path, body))

    def found(self, path: str, body: Any = None) -> dict[str, Any]:
        """As `get`, or `post` if there is a body; empty if the server has no such endpoint, or answers otherwise.

        Raises
        ------
        RemoteError
            It cannot be reached, or refuses the key.
        """
        try:
            answer = self.get(path) if body is None else self.post(path, body)
        except NoEndpointError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def events(self, path: str, body: Any, cancelled: Cancelled) -> Generator[dict[str, Any], None, None]:
        """The events of a streamed answer; closing the iterator, or cancelling, ends the request at the server too.

        Raises
        ------
        RemoteError
            The server cannot be reached, refuses, falls silent, goes away, or sends what is no event.
        """
        queue: SimpleQueue[dict[str, Any] | Future[None]] = SimpleQueue()
        task = shared().submit(self._stream(path, body, queue.put))
        task.add_done_callback(queue.put)
        try:
            while (item := _next(queue, cancelled)) is not None:
                if isinstance(item, Future):
                    item.result()
                    return
                yield item
        finally:
            task.cancel()

    def _wait(self, work: Any) -> Any:
        return shared().submit(work).result()

    async def _ask(self, method: str, path: str, body: Any) -> Any:
        async with self._translated(ASK_S), self._client.stream(method, self._url(path), json=body) as response:
            data = await _limited(response, self.address)
            if response.status_code in {404, 405, 501}:
                raise NoEndpointError(f"there is no {path}")
            self._check(response, data)
            return _parsed(data)

    async def _stream(self, path: str, body: Any, put: Callable[[dict[str, Any]], None]) -> None:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        async with (
            self._translated(WHOLE_S),
            self._client.stream("POST", self._url(path), json=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                self._check(response, await _limited(response, self.address))
            if "content-encoding" in response.headers:  # nobody asked for it, and it may grow without end
                raise unreadable(self.address)
            response.encoding = "utf-8"  # as of all event streams; some codecs take quadratic time
            async for event in httpx2.EventSource(response):
                if event.data == "[DONE]":
                    return
                found = _parsed(event.data)
                if not isinstance(found, dict) or response.num_bytes_downloaded > MOST_BYTES:
                    raise unreadable(self.address)
                if "error" in found:  # after the stream has begun there is no other status
                    raise of_status(_code_of(found), found, self.address, self._key_env)
                put(found)

    def _url(self, path: str) -> str:
        self.requests += 1
        return self.address.base + path

    def _check(self, response: httpx2.Response, data: bytes) -> None:
        if response.status_code == 200:
            return
        try:
            body = _parsed(data)
        except ValueError:
            body = None
        raise of_status(response.status_code, body, self.address, self._key_env)

    @asynccontextmanager
    async def _translated(self, seconds: float) -> AsyncIterator[None]:
        """At most so many seconds; what fails is raised in words for a person."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise of_transport(error, self.address, min(seconds, SILENT_S)) from None


class NoEndpointError(RemoteError):
    """The server does not have what was asked."""


def _close(client: httpx2.AsyncClient) -> None:
    shared().submit(client.aclose())


def _next(queue: SimpleQueue[Any], cancelled: Cancelled) -> Any:
    """The next item; None once `cancelled`."""
    while not cancelled():
        try:
            return queue.get(timeout=LOOK_S)
        except Empty:
            continue
    return None


async def _limited(response: httpx2.Response, address: Address) -> bytes:
    """The body of a response, if it is not too long."""
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise unreadable(address)
    return bytes(data)


def _parsed(data: str | bytes) -> Any:
    """What JSON says; raises ValueError, also of one that is too deep."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("too deep") from None


def _code_of(event: dict[str, Any]) -> int:
    """The status that an event of an error names; 500 if it names none."""
    error = event["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def _headers(key_env: str) -> dict[str, str]:
    if not key_env:
        return {}
    key = os.environ.get(key_env, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise UsageError(f"the variable {key_env} holds no key", f"Set {key_env} to the model server's key")
    return {"Authorization": f"Bearer {key}"}
