"""Over the network: before the token nothing is told, and one client has no power over another."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from guiderail.errors import GuiderailError
from guiderail.lsp import network
from guiderail.lsp.network import Address, NetworkService
from guiderail.lsp.process import ServerProcess
from guiderail.lsp.server import Server
from guiderail.lsp.worker import Worker
from guiderail.settings import Settings
from tests.lsp.client import Client, Failure, at
from tests.lsp.fakes import FakeEngine
from tests.lsp.test_process import Wire, environment, started

pytestmark = pytest.mark.asyncio

TOKEN = "correct horse"
HELLO = {"processId": None, "rootUri": None, "capabilities": {}}


class Listening:
    """A shared server in this process, and its address."""

    def __init__(self, process: ServerProcess, service: NetworkService, port: int) -> None:
        self.process, self.service, self.port = process, service, port

    async def connect(self) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self.port))


async def ready(worker: Worker) -> None:
    """Wait until a worker's model is loaded."""
    while worker.health.state != "ready":
        assert worker.health.state != "error", worker.health
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def listening(engine: FakeEngine | None = None) -> AsyncIterator[Listening]:
    worker = Worker(engine or FakeEngine())
    process = ServerProcess(worker, Path("/nowhere/lsp.log"), settings=Settings())
    worker.start()
    worker.load(Settings())
    await ready(worker)
    service = NetworkService(process, TOKEN)
    listener = await service.listen(Address("127.0.0.1", 0))
    async with listener:
        try:
            yield Listening(process, service, listener.sockets[0].getsockname()[1])
        finally:
            await service.close()
            assert worker.stop(5)


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def request(method: str, params: Any = None, **more: Any) -> bytes:
    return framed(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | more).encode())


async def everything(wire: Wire, seconds: float = 10) -> list[Any]:
    """All that comes until the connection ends."""
    found = []
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while (one := await asyncio.wait_for(wire.receive(), seconds)) is not None:
            found.append(one)
    wire.writer.close()
    return found


@pytest.mark.parametrize(
    "sent",
    [
        request("initialize", HELLO),
        request("initialize", HELLO | {"initializationOptions": {"token": "wrong"}}),
        request("initialize", HELLO | {"initializationOptions": {"token": None}}),
        request("initialize", HELLO | {"initializationOptions": {"token": [TOKEN]}}),
        request("initialize", HELLO | {"initializationOptions": {"token": TOKEN[:-1]}}),
        request("initialize", HELLO | {"initializationOptions": {"token": "\ud83d"}}),
        request("initialize", [TOKEN]),
        request("guiderail/status"),
        request("workspace/executeCommand", {"command": "guiderail.restart"}),
        request("shutdown"),
        request("nope", {"token": TOKEN}),
        framed(b'{"jsonrpc": "2.0", "method": "exit"}'),
        framed(b'{"jsonrpc": "2.0", "method": "initialized", "params": {}}'),
        framed(b'{"jsonrpc": "2.0", "id": 1, "result": null}'),
        framed(b"not JSON"),
        framed(b"[" * 100_000),
        framed(b"[]"),
        framed(b'{"id": 1, "method": "guiderail/status"}'),
        framed(b""),
        b"Content-Length: 2000000\r\n\r\n{",
    ],
)
async def test_before_the_token_there_is_one_error_and_the_end(sent: bytes) -> None:
    """Whatever comes first, and however much after it: one error of one code, which tells nothing else."""
    async with listening() as server:
        wire = await server.connect()
        wire.writer.write(sent * 3 + request("initialize", HELLO | {"initializationOptions": {"token": TOKEN}}))
        found = await everything(wire)
        assert [one["error"] for one in found] == [
            {"code": -32001, "message": "the token must come first, and be right"}
        ]
        assert found[0]["id"] in {1, None}
        assert not server.process.clients


async def test_with_the_token_all_is_told() -> None:
    """The right token first opens the conversation."""
    async with listening() as server:
        wire = await server.connect()
        assert "capabilities" in (await wire.hello(token=TOKEN))["result"]
        assert (await wire.ask("guiderail/status"))["result"]["state"] == "ready"
        wire.writer.close()


async def test_who_shows_no_token_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is silent, and one that sends for ever without a message, are gone when the time is over."""
    monkeypatch.setattr(network, "TOKEN_TIMEOUT_S", 0.5)
    async with listening() as server:
        silent, busy = await server.connect(), await server.connect()

        async def babble() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    busy.writer.write(b"X-Header: 1\r\n" * 1000)
                    await busy.writer.drain()
                    await asyncio.sleep(0.001)

        babbling = asyncio.ensure_future(babble())
        assert await everything(silent) == []
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(busy.reader.read(), 10) == b""
        babbling.cancel()
        busy.writer.close()
        assert not server.service.unauthenticated


async def test_who_shows_no_token_is_bounded_in_number() -> None:
    """Of many connections without a token the oldest go, so that they keep nobody out who has it."""
    async with listening() as server:
        crowd = [await server.connect() for _ in range(network.MAX_UNAUTHENTICATED + 20)]
        mine = await server.connect()
        assert "result" in await mine.hello(token=TOKEN)
        assert len(server.service.unauthenticated) <= network.MAX_UNAUTHENTICATED
        for one in crowd[:20]:
            assert await everything(one) == []
        more = [await server.connect() for _ in range(network.MAX_UNAUTHENTICATED + 1)]
        await asyncio.sleep(0.1)
        assert (await mine.ask("guiderail/status"))["result"]["state"] == "ready"
        for one in (*crowd, *more, mine):
            one.writer.close()


@contextlib.asynccontextmanager
async def two_clients(load_failure: GuiderailError | None = None) -> AsyncIterator[tuple[Client, Client, FakeEngine]]:
    """Two clients of one model, and its engine."""
    engine = FakeEngine()
    engine.load_failure = load_failure
    worker = Worker(engine)
    worker.start()
    process = ServerProcess(worker, Path("/nowhere/lsp.log"), settings=Settings())
    worker.load(Settings())
    clients = [Client(Server(process), engine) for _ in range(2)]
    try:
        for one in clients:
            await one.ask("initialize", HELLO)
            one.tell("initialized", {})
            await one.settle()
        yield clients[0], clients[1], engine
    finally:
        engine.gate.set()
        for one in clients:
            one.server.close()
        assert worker.stop(5)


async def test_one_client_cannot_restart_anothers_model() -> None:
    """A restart is refused while others use the model, and made when there are none or there is none to lose."""
    async with two_clients() as (one, other, engine):
        assert len(engine.loaded) == 1
        with pytest.raises(Failure, match="other clients use the model") as refused:
            await one.command("restart")
        assert refused.value.code == -32803
        await one.settle()
        assert len(engine.loaded) == 1
        assert (await other.ask("guiderail/status"))["state"] == "ready"
        other.server.close()
        await one.command("restart")
        await one.settle()
        assert len(engine.loaded) == 2


async def test_a_model_that_is_not_there_may_be_loaded_by_anyone() -> None:
    """Nobody loses by it."""
    async with two_clients(GuiderailError("there is no such model")) as (one, _, engine):
        await one.command("restart")
        await one.settle()
        assert len(engine.loaded) == 1


async def test_what_one_client_ends_goes_on_for_another() -> None:
    """Switching off, other settings, shutdown and exit of one client leave the other its model and its answers."""
    async with two_clients() as (one, other, engine):
        uri = other.open("x = ")
        assert await other.ghost(uri, 0, 4)
        await one.command("toggle", {"scope": "global"})
        one.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"model": "another", "enable": False}}})
        one.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"logLevel": "debug"}}})
        await one.settle()
        await one.ask("shutdown")
        one.tell("exit")
        one.server.close()
        await other.settle()
        assert (await other.ask("guiderail/status"))["state"] == "ready"
        before = len(engine.asked)
        assert await other.ghost(uri, 0, 4)  # remembered
        assert len(engine.asked) == before
        assert len(engine.loaded) == 1


async def test_a_client_of_many_requests_keeps_no_other_waiting() -> None:
    """Who asks in hundreds of documents at once gets a turn, and then another client does."""
    async with two_clients() as (one, other, engine):
        engine.gate.clear()
        for number in range(300):
            uri = one.open(f"a = {number}; b = ", f"untitled:{number}")
            one.begin("textDocument/inlineCompletion", at(uri, 0, 10) | {"context": {"triggerKind": 1}})
        while not engine.is_held:
            await asyncio.sleep(0.001)
        uri = other.open("mine = ")
        _, answer = other.begin("textDocument/inlineCompletion", at(uri, 0, 7) | {"context": {"triggerKind": 1}})
        await asyncio.sleep(0.05)
        engine.gate.set()
        assert (await asyncio.wait_for(answer, 60))["items"]
        assert engine.asked.index("mine = ") <= 2


@pytest.mark.e2e
async def test_a_crowd_at_a_real_server_keeps_nobody_out(tmp_path: Path) -> None:
    """Hundreds of connections without a token, and the person is served; SIGTERM ends all."""
    env = environment(tmp_path, tmp_path / "no model", token=TOKEN)
    async with started(env, "--tcp", "127.0.0.1:0", cwd=tmp_path) as process:
        line = (await asyncio.wait_for(process.stderr.readline(), 120)).decode()
        port = int(line.rsplit(":", 1)[1])
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        began = time.monotonic()
        assert "result" in await wire.hello(token=TOKEN)
        assert time.monotonic() - began < 30
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 10)
        for _, writer in (*crowd, (None, wire.writer)):
            writer.close()
