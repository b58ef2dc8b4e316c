"""The laws of connections: clients that are slow, silent or gone cost the others nothing."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest

from guiderail.lsp.network import Address
from guiderail.serve import app as app_module
from guiderail.serve import connection as connection_module
from guiderail.serve.launch import listen, server_of
from guiderail.serve.service import CompletionService
from tests.lsp.fakes import BLANK
from tests.serve.engine import ToldEngine
from tests.serve.test_service import joined
from tests.serve.waiting import until

BODY = json.dumps({"prompt": "x = "}).encode()


def request(body: bytes = BODY, path: str = "/completion", **headers: Any) -> bytes:
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": len(body), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Server:
    """A server in a thread of this process."""

    def __init__(self, service: CompletionService) -> None:
        self.service = service
        listener = listen(Address("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._server = server_of(service, "", local_only=True)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    def is_fine(self) -> bool:
        """Whether a new client is answered."""
        with self.connect() as client:
            # Another text than the other clients': one that waits for the same would have the first suggestion.
            client.sendall(request(b'{"prompt": "another = "}', Connection="close"))
            return b'"content":"hello()"' in everything(client)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def server(service: CompletionService) -> Iterator[Server]:
    made = Server(service)
    yield made
    made.close()


def everything(client: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := client.recv(1 << 16):
            found += data
    return found


@pytest.mark.parametrize(
    "sent", [b"", b"POST /completion HT", b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\n", request()[:-3]]
)
def test_a_request_must_come_in_time(server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A client that sends nothing more is disconnected, wherever in the request it stopped."""
    monkeypatch.setattr(connection_module, "HEAD_S", 0.3)
    monkeypatch.setattr(app_module, "BODY_S", 0.3)
    with server.connect() as client:
        client.sendall(sent)
        answer = everything(client)
        assert answer == b"" or b"408" in answer.split(b"\r\n")[0]
    until(lambda: server.connections == 0)


def test_slow_senders_hold_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred clients that send a byte now and then (slow-loris) are disconnected; meanwhile others are served."""
    monkeypatch.setattr(connection_module, "HEAD_S", 1.0)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(200)]
        for count in range(3):
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "[count * 9 :][:9])
            assert server.is_fine()
        until(lambda: server.connections == 0)
    assert server.is_fine()


def test_of_too_many_silent_clients_the_oldest_goes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot keep a new one out."""
    monkeypatch.setattr(connection_module, "MOST_IDLE", 10)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(30)]
        assert server.is_fine()
        until(lambda: server.connections <= 11)
        assert everything(silent[0]) == b""


@pytest.mark.parametrize("half", [False, True])
def test_two_hundred_clients_that_vanish(server: Server, engine: ToldEngine, half: bool) -> None:
    """Whether they close the connection or only their side of it: no place, task or connection stays."""
    engine.gate.clear()
    clients = [server.connect() for _ in range(200)]
    for number, client in enumerate(clients):
        client.sendall(request(json.dumps({"prompt": f"x{number} = "}).encode()))
    until(lambda: server.service.waiting.total() > 40)
    for client in clients:
        if half:
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
    until(lambda: server.service.waiting.total() == 0)
    engine.gate.set()
    until(lambda: server.connections == 0 and joined(server.service) == 0)
    assert server.is_fine()
    for client in clients:
        client.close()


def test_a_client_that_does_not_read_holds_nobody(server: Server) -> None:
    """Its answers wait in its own connection."""
    with server.connect() as deaf:
        deaf.sendall(request() * 20)
        for _ in range(3):
            assert server.is_fine()


def test_a_deaf_client_that_asked_for_the_end_is_dropped(
    server: Server, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads nothing of an answer that fits in no buffer, and stays: its connection ends nevertheless."""
    monkeypatch.setattr(connection_module, "CLOSE_S", 0.3)
    engine.shown = [replace(BLANK, text="x" * 16_000_000)]
    with server.connect() as deaf:
        deaf.sendall(request(Connection="close"))
        until(lambda: server.connections == 1)
        until(lambda: server.connections == 0)


def test_ten_megabytes_are_refused_without_being_kept(server: Server) -> None:
    """By their length, or as soon as too much has come; the memory does not grow by them."""
    process, long = psutil.Process(), b'{"prompt": "' + b"x" * 10_000_000 + b'"}'
    before = process.memory_info().rss
    for more in ({}, {"Transfer-Encoding": "chunked", "Content-Length": None}):
        for _ in range(2):
            with server.connect() as client:
                body = long if not more else b"%x\r\n%s\r\n0\r\n\r\n" % (len(long), long)
                with contextlib.suppress(ConnectionError):  # it is closed before all is sent
                    client.sendall(request(body, **more))
                answer = everything(client)
                assert answer == b"" or b" 413 " in answer.split(b"\r\n")[0]
    assert process.memory_info().rss - before < 40_000_000
    assert server.is_fine()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 70_000,
        b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /completion HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_ends_its_connection_alone(server: Server, sent: bytes) -> None:
    """Or is answered as far as it is."""
    with server.connect() as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        everything(client)
    assert server.is_fine()


def test_a_stream_is_cut_when_its_client_goes(server: Server, engine: ToldEngine) -> None:
    """Also while there is nothing to send yet."""
    engine.gate.clear()
    with server.connect() as client:
        client.sendall(request(json.dumps({"prompt": "x = ", "stream": True}).encode()))
        until(lambda: server.service.waiting.total() == 1)
    until(lambda: server.service.waiting.total() == 0)
    engine.gate.set()
    assert server.is_fine()


def test_connections_are_kept_for_the_next_request(server: Server) -> None:
    """Clients that keep them need no new one for each key."""
    with server.connect() as client:
        for _ in range(3):
            client.sendall(request())
            answer, end = b"", time.monotonic() + 20
            while b'"content":"hello()"' not in answer and time.monotonic() < end:
                answer += client.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 200")
        assert server.connections == 1
