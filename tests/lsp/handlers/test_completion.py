"""Ghost text, menu items, and their acceptance."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from guiderail.engine.engine import NotLoadedError
from guiderail.errors import GuiderailError
from tests.lsp.client import Failure, at, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


async def test_ghost_text_has_range_filter_and_command() -> None:
    """An automatic request gets one item: its text, an empty range at the cursor, and the command of acceptance."""
    async with connected(FakeEngine("hello()")) as client:
        uri = client.open("x = 1\ny🙂 = \n")
        (item,) = await client.ghost(uri, 1, 6)
        place = {"line": 1, "character": 6}
        assert item["insertText"] == item["filterText"] == "hello()"
        assert item["range"] == {"start": place, "end": place}
        assert item["command"]["command"] == "guiderail.accept"
        assert set(item["command"]["arguments"][0]) == {"id"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_columns_are_those_of_the_negotiated_encoding(encoding: str) -> None:
    """The model sees the text up to the cursor, and the range covers what stands after it, in every encoding."""
    capabilities = {"general": {"positionEncodings": [encoding]}}
    width = {"utf-8": 4, "utf-16": 2, "utf-32": 1}[encoding]
    engine = FakeEngine("z) + 1")
    async with connected(engine, capabilities=capabilities) as client:
        uri = client.open("f(🙂)\n")
        (item,) = await client.ghost(uri, 0, 2 + width)
        assert engine.asked == ["f(🙂"]
        assert item["range"]["start"]["character"] == 2 + width
        assert item["range"]["end"]["character"] == 3 + width


@pytest.mark.parametrize("kind", [0, 1, 2, 7, None])
async def test_every_trigger_kind_and_none_is_answered(kind: int | None) -> None:
    """Old numbers, unknown ones and a missing context all get suggestions."""
    async with connected() as client:
        assert await client.ghost(client.open("x = "), 0, 4, kind)


@pytest.mark.parametrize("kind", [0, 1])
async def test_by_hand_there_are_several(kind: int) -> None:
    """Asked by hand, in the old numbers or the new, the server offers as many as maxSuggestions says."""
    async with connected(options={"maxSuggestions": 3}) as client:
        items = await client.ghost(client.open("x = "), 0, 4, kind)
        assert len({item["insertText"] for item in items}) == 3


async def test_the_selected_menu_item_is_honoured() -> None:
    """With a selected item the suggestion has its range and begins with its text."""
    engine = FakeEngine("(path)")
    async with connected(engine) as client:
        uri = client.open("os.li\n")
        span = {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 5}}
        (item,) = await client.ghost(uri, 0, 5, selectedCompletionInfo={"range": span, "text": "listdir"})
        assert engine.asked == ["os.listdir"]
        assert (item["range"], item["insertText"]) == (span, "listdir(path)")


async def test_typing_the_suggestion_only_shortens_it() -> None:
    """Each key that the suggestion foresaw is answered without the model, and acceptance finds the next one ready."""
    engine = FakeEngine("abc")
    async with connected(engine) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.change(uri, 0, 4, 4, "a")
        assert [item["insertText"] for item in await client.ghost(uri, 0, 5)] == ["bc"]
        assert engine.asked == ["x = "]
        (item,) = await client.ghost(uri, 0, 5)
        await client.command("accept", item["command"]["arguments"][0])
        client.change(uri, 0, 5, 5, "bc")
        await client.settle()
        assert engine.asked == ["x = ", "x = abc"]
        assert await client.ghost(uri, 0, 7)
        assert engine.asked == ["x = ", "x = abc"]


async def test_a_newer_request_ends_the_older_one() -> None:
    """The older request of a document is answered with nothing, the newer with its suggestion; each once."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = \n")
        engine.gate.clear()
        _, old = client.begin("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        await client.settle()
        client.change(uri, 0, 4, 4, "z")
        _, new = client.begin("textDocument/inlineCompletion", at(uri, 0, 5) | {"context": {"triggerKind": 2}})
        assert (await asyncio.wait_for(old, 5))["items"] == []
        engine.gate.set()
        assert (await asyncio.wait_for(new, 5))["items"]


async def test_a_cancelled_request_is_answered_as_cancelled() -> None:
    """$/cancelRequest gets the request's one reply, the error -32800, and ends the work."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = \n")
        engine.gate.clear()
        number, future = client.begin("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        await client.settle()
        client.tell("$/cancelRequest", {"id": number})
        with pytest.raises(Failure) as failure:
            await asyncio.wait_for(future, 5)
        assert failure.value.code == -32800
        engine.gate.set()
        await client.settle()
        assert engine.steps <= 1
        client.tell("$/cancelRequest", {"id": number})
        assert Counter(reply["id"] for reply in client.replies)[number] == 1


async def test_a_menu_item_carries_the_same_text() -> None:
    """The menu's item replaces the half-typed word by the whole, comes last, and runs the same command."""
    engine = FakeEngine("llo(name)\nmore")
    async with connected(engine) as client:
        uri = client.open("x = he)\n")
        reply = await client.ask("textDocument/completion", at(uri, 0, 6))
        (item,) = reply["items"]
        assert reply["isIncomplete"]
        assert item["textEdit"]["newText"] == "hello(name)\nmore"
        assert item["textEdit"]["range"]["start"]["character"] == 4
        assert (item["label"], item["filterText"]) == ("hello(name)", "hello(name)")
        assert item["sortText"] > "zzz"
        assert item["command"]["command"] == "guiderail.accept"


async def test_the_menu_is_quiet_where_ghost_text_is_shown() -> None:
    """A client that asks for ghost text gets no menu item, unless it wants one; an empty suggestion makes none."""
    for menu, expected in ((None, 0), (True, 1), (False, 0)):
        async with connected(options={"menu": menu}) as client:
            uri = client.open("x = ")
            await client.ghost(uri, 0, 4)
            assert len((await client.ask("textDocument/completion", at(uri, 0, 4)))["items"]) == expected
    async with connected(FakeEngine("  ")) as client:
        assert (await client.ask("textDocument/completion", at(client.open("x = "), 0, 4)))["items"] == []


@pytest.mark.parametrize("params", [None, {}, {"item": None}, {"item": {"command": {"arguments": []}}}, [1], "x"])
async def test_odd_reports_of_acceptance_do_no_harm(params: Any) -> None:
    """Whatever a client reports about items, the server goes on."""
    async with connected() as client:
        client.tell("textDocument/didShowCompletion", params)
        client.tell("textDocument/didPartiallyAcceptCompletion", params)
        await client.command("accept", params)
        assert (await client.ask("guiderail/status"))["state"] == "ready"


async def test_a_request_for_a_document_that_is_not_open_gets_nothing() -> None:
    """Requests about unknown documents, and after the end of known ones, are answered."""
    async with connected() as client:
        assert await client.ghost("untitled:9", 0, 0) == []
        uri = client.open("x = ")
        assert await client.ghost(uri, 99, 99)
        assert client.engine.asked == ["x = "]


async def test_memory_that_runs_out_fails_one_request() -> None:
    """A request that needs too much memory is answered with nothing; the status tells; the next one works."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.failure = MemoryError()
        assert await client.ghost(uri, 0, 4) == []
        await client.settle()
        assert client.last("guiderail/didChangeStatus")["state"] == "error"
        assert await client.ghost(uri, 0, 4)
        await client.settle()
        assert client.last("guiderail/didChangeStatus")["state"] == "ready"


async def test_a_menu_recovers_from_a_failure() -> None:
    """A client that asks for the menu alone is served again, too, after the model failed."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.failure = MemoryError()
        assert (await client.ask("textDocument/completion", at(uri, 0, 4)))["items"] == []
        await client.settle()
        assert client.last("guiderail/didChangeStatus")["state"] == "error"
        assert (await client.ask("textDocument/completion", at(uri, 0, 4)))["items"]


async def test_a_model_that_cannot_be_loaded_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Requests that come at every key find no model, and the log does not say so each time."""
    engine = FakeEngine()
    engine.load_failure = GuiderailError("The model is not here")
    async with connected(engine, options={"menu": True}) as client:
        uri = client.open("x = ")
        for _ in range(2):
            engine.failure = NotLoadedError()
            assert (await client.ask("textDocument/completion", at(uri, 0, 4)))["items"] == []
            engine.failure = NotLoadedError()
            assert await client.ghost(uri, 0, 4) == []
    (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("guiderail")]
    assert "The model is not here" in said
