"""Laws of the connection to a model server: whatever it does, a clear error comes, and nothing hangs."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from guiderail.errors import GuiderailError, UsageError
from guiderail.remote import connection as module
from guiderail.remote.address import Address
from guiderail.remote.connection import Connection
from guiderail.remote.errors import RemoteError
from guiderail.remote.find import find_server
from tests.helpers.http_server import EVENTS, Answer, Server, as_events, as_json, serving

KEY = "GUIDERAIL_TEST_SERVER_KEY"
SECRET = "sk-1234567890"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def to(server: Server, key_env: str = "") -> Connection:
    return Connection(Address.parse(server.url), key_env)


def read(server: Server, answer: Answer, **changes: Any) -> list[dict[str, Any]]:
    """The events of a streamed answer."""
    server.answers["/completion"] = answer
    return list(to(server, **changes).events("/completion", {}, lambda: False))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"error": {"message": "no key"}}, "wants a key"),
        (403, {}, "wants a key"),
        (404, {"error": "no"}, "no such endpoint or model"),
        (429, {"error": {"message": "slow down"}}, "too many requests"),
        (503, {"error": {"message": "Loading model"}}, "503: Loading model"),
        (400, {"detail": "n is wrong"}, "400: n is wrong"),
        (500, ["what"], "answers 500"),
        (307, {}, "is not followed"),
    ],
)
def test_a_status_is_told_in_words(server: Server, status: int, body: Any, said: str) -> None:
    """Each status gives one line with what to do, from a plain answer and from a stream alike."""
    with pytest.raises(RemoteError, match=said) as error:
        read(server, as_json(body, status))
    assert error.value.remedy
    if status != 404:  # asked about the server itself, that is an answer: it has no such endpoint
        server.answers["/props"] = as_json(body, status)
        with pytest.raises(RemoteError, match=said):
            to(server).get("/props")


@pytest.mark.parametrize(
    "answer",
    [
        Answer([b"<html>"]),
        Answer([b"data: {\n\n"], headers={"Content-Type": EVENTS}),
        as_events([1, 2]),
        as_events("text"),
    ],
)
def test_what_is_no_event_is_an_error(server: Server, answer: Answer) -> None:
    """HTML, half JSON, and JSON of another form are refused."""
    with pytest.raises(RemoteError, match="cannot be read"):
        read(server, answer)


def test_an_error_in_a_stream_is_told(server: Server) -> None:
    """After its first event a stream can end only by an event that says why."""
    with pytest.raises(RemoteError, match="too many requests"):
        read(server, as_events({"content": "a"}, {"error": {"code": 429, "message": "busy"}}))


def test_a_server_that_goes_away_in_mid_stream_is_told(server: Server) -> None:
    """A connection that ends before the promised length is an error, and what came before it is given."""
    answer = Answer([b'data: {"content": "a"}\n\n'], headers={"Content-Type": EVENTS, "Content-Length": "500"})
    server.answers["/completion"] = answer
    events = to(server).events("/completion", {}, lambda: False)
    assert next(events) == {"content": "a"}
    with pytest.raises(RemoteError, match="before its answer was whole"):
        list(events)


def test_nobody_at_the_address_is_told() -> None:
    """A closed port is named with its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RemoteError, match=f"{place} cannot be reached"):
        find_server(f"http://{place}")


@pytest.mark.parametrize("drips", [False, True])
def test_a_silent_or_slow_stream_ends(server: Server, monkeypatch: pytest.MonkeyPatch, drips: bool) -> None:
    """A server that sends nothing, or a little for ever, is given up after a time."""
    ended = threading.Event()
    monkeypatch.setattr(module, "WHOLE_S", 0.5)
    wait = [lambda: ended.wait(0.02), b": still there\n\n"] * 400 if drips else [ended.wait]
    try:
        with pytest.raises(RemoteError, match="gave no answer within"):
            read(server, Answer([*wait], headers={"Content-Type": EVENTS}))
    finally:
        ended.set()


def test_giving_up_closes_the_connection(server: Server) -> None:
    """Who stops reading, or cancels, ends the request at the server too."""
    server.answers["/completion"] = as_events(*[{"content": "a" * 10_000}] * 100_000)
    events = to(server).events("/completion", {}, lambda: False)
    next(events)
    events.close()
    assert server.gone.wait(20)
    server.gone.clear()
    assert list(to(server).events("/completion", {}, lambda: True)) == []


def test_a_cancel_ends_waiting_for_a_silent_server(server: Server) -> None:
    """A request that is given up does not wait for the server's next byte."""
    ended, asked = threading.Event(), threading.Event()
    server.answers["/completion"] = Answer([asked.set, ended.wait], headers={"Content-Type": EVENTS})
    try:
        assert list(to(server).events("/completion", {}, asked.is_set)) == []
    finally:
        ended.set()


def test_an_endless_answer_is_not_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is no stream has a largest size."""
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    server.answers["/props"] = Answer([b" " * 2000, b"{}"])
    with pytest.raises(RemoteError, match="cannot be read"):
        to(server).get("/props")


def test_a_redirect_takes_nothing_along(server: Server) -> None:
    """Neither prompt nor key goes to where a server sends."""
    with serving() as other:
        server.answers["/completion"] = Answer([b""], 302, {"Location": f"{other.url}/completion"})
        with pytest.raises(RemoteError, match="not followed"):
            read(server, server.answers["/completion"])
        assert other.requests == []


def test_the_key_is_sent_and_never_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The key comes from the variable that is named; an error and a log name the variable alone."""
    monkeypatch.setenv(KEY, SECRET)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RemoteError, match=KEY) as error:
        read(server, as_json({"error": {"message": "wrong"}}, 401), key_env=KEY)
    assert server.requests[0][2]["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in str(error.value)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("value", ["", " ", "a\nb", "schlüssel"])
def test_a_variable_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Nothing is sent without the key that was asked for, and no header can be forged by it."""
    monkeypatch.setenv(KEY, value)
    with pytest.raises(UsageError, match=KEY):
        Connection(Address.parse("http://127.0.0.1:1"), KEY)


def test_a_proxy_is_not_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment sees no request to this machine."""
    with serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        server.answers["/props"] = as_json({"a": 1})
        assert to(server).get("/props") == {"a": 1}
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("url", "loopback", "readable"),
    [
        ("http://localhost:8080", True, False),
        ("http://127.9.9.9", True, False),
        ("http://[::1]:8080/v1/", True, False),
        ("http://10.0.0.7:8000", False, True),
        ("http://localhost.example.com", False, True),
        ("https://models.example.com/v1#qwen", False, False),
    ],
)
def test_others_can_read_what_is_not_encrypted(url: str, loopback: bool, readable: bool) -> None:
    """A machine's own address is told from another's, however it is written."""
    address = Address.parse(url)
    assert (address.is_loopback, address.is_readable) == (loopback, readable)
    assert not address.base.endswith(("/", "/v1"))


def test_an_unencrypted_address_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Before anything is sent to another machine without encryption, a warning is logged."""
    with pytest.raises(GuiderailError):
        find_server("http://guiderail.invalid:1")
    assert "not encrypted" in caplog.text


def test_several_models_need_a_name(server: Server) -> None:
    """Where a server has several models the address names one, and the error shows how."""
    server.answers["/v1/models"] = as_json({"data": [{"id": "qwen"}, {"id": "star"}]})
    with pytest.raises(RemoteError, match="2 models") as error:
        find_server(server.url)
    assert f"{server.url}#qwen" in error.value.remedy
    assert find_server(f"{server.url}/v1#star").model == "star"
    with pytest.raises(RemoteError, match="no model moon"):
        find_server(f"{server.url}#moon")


def test_another_servers_address_is_refused(server: Server) -> None:
    """What has no models is no model server."""
    server.answers["/v1/models"] = Answer([b"<html>"], 404)
    with pytest.raises(RemoteError, match="no model server"):
        find_server(server.url)


def test_a_connection_that_nobody_has_is_closed(server: Server) -> None:
    """A model is dropped when another one is loaded, and its sockets must not stay."""
    server.answers["/props"] = as_json({})
    connection = to(server)
    connection.get("/props")
    client = connection._client
    assert not client.is_closed
    del connection
    gc.collect()
    until = time.monotonic() + 20
    while not client.is_closed and time.monotonic() < until:
        time.sleep(0.01)
    assert client.is_closed
