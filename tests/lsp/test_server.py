"""The whole server, against an engine whose answers are known."""

import asyncio
import json
import random
from collections import Counter

import pytest

from tests.lsp.client import at, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


async def test_closed_documents_leave_nothing() -> None:
    """After many documents were opened, edited, completed and closed, nothing is kept of them but a few suggestions."""
    async with connected(FakeEngine("abc")) as client:
        for number in range(60):
            uri = client.open("x = ", f"untitled:{number}")
            client.change(uri, 0, 4, 4, "y")
            await client.ghost(uri, 0, 5)
            client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        await client.settle()
        assert not client.state.buffers
        assert not client.state.scheduler._documents
        assert len(client.server.protocol._request_futures) <= 2  # pygls keeps the two of `initialized`
        assert len(client.state.suggestions) <= 16


async def test_a_client_that_goes_leaves_nothing() -> None:
    """What is kept for the open documents of a client goes with its connection, and who waits there waits no more."""
    engine = FakeEngine()
    async with connected(engine, greet=False) as client:
        for number in range(2):
            client.change(client.open("x = ", f"untitled:{number}"), 0, 4, 4, "y")
        _, early = client.begin("textDocument/inlineCompletion", at("untitled:1", 0, 4))
        await client.settle()
        engine.forgotten.clear()  # of what was open before under the same name
        client.server.close()
        await client.settle()
        assert sorted(engine.forgotten) == ["untitled:0", "untitled:1"]
        assert (await asyncio.wait_for(early, 5))["items"] == []
        assert engine.asked == []
        assert not client.state.scheduler._documents


async def test_no_source_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Unless the level is debug, neither texts nor suggestions reach the log, not even when things fail."""
    engine = FakeEngine("suggested_word")
    with caplog.at_level("INFO"):
        async with connected(engine, options={"logLevel": "info"}) as client:
            uri = client.open("secret_word = ")
            await client.ghost(uri, 0, 14)
            engine.failure = KeyError("secret_word")
            client.change(uri, 0, 14, 14, "secret_word")
            await client.ghost(uri, 0, 25)
            client.raw({"id": 5, "method": "textDocument/inlineCompletion", "params": {"secret_word": 1}})
            client.tell("textDocument/didChange", {"textDocument": {"uri": uri}, "contentChanges": "secret_word"})
            await client.settle()
    logged = caplog.text
    assert "KeyError" in logged
    assert "secret_word" not in logged
    assert "suggested_word" not in logged


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Even where whole messages are logged, what a client must know is not."""
    with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", logger="pygls"):
        async with connected(options={"token": "correct horse"}):
            pass
    assert "initialization_options" in caplog.text
    assert "correct horse" not in caplog.text


@pytest.mark.parametrize("seed", range(4))
async def test_every_request_is_answered_once(seed: int) -> None:
    """Under random changes, requests of both kinds and cancels, each request gets exactly one reply."""
    rng, engine = random.Random(seed), FakeEngine("abc", step=0.0005)
    async with connected(engine, options={"debounceMs": 3, "menu": True}) as client:
        uri = client.open("x = \n")
        numbers, length = [], 4
        for _ in range(200):
            match rng.choices(("key", "ghost", "menu", "cancel", "status", "wait"), (5, 5, 2, 3, 1, 4))[0]:
                case "key":
                    client.change(uri, 0, length, length, rng.choice("abcz"))
                    length += 1
                case "ghost":
                    params = at(uri, 0, length) | {"context": {"triggerKind": rng.choice((0, 1, 2))}}
                    numbers.append(client.begin("textDocument/inlineCompletion", params)[0])
                case "menu":
                    numbers.append(client.begin("textDocument/completion", at(uri, 0, length))[0])
                case "status":
                    numbers.append(client.begin("guiderail/status")[0])
                case "cancel" if numbers:
                    client.tell("$/cancelRequest", {"id": rng.choice(numbers[-5:])})
                case _:
                    await asyncio.sleep(rng.random() * 0.003)
        waiting = list(client._waiting.values())
        if waiting:
            done, pending = await asyncio.wait(waiting, timeout=10)
            assert not pending
            for future in done:
                if future.exception():
                    assert future.exception().code == -32800  # pyright: ignore
        replies = Counter(reply["id"] for reply in client.replies)
        assert all(replies[number] == 1 for number in numbers)
        assert json.loads(json.dumps(client.replies))
