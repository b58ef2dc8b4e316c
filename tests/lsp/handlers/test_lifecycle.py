"""Beginning and end of a conversation."""

import asyncio
from pathlib import Path

import pytest
from pytest_lsp import client_capabilities

from guiderail.lsp.converter import converter
from tests.lsp.client import NEOVIM, Failure, at, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


async def test_what_the_server_can_do_is_said() -> None:
    """The reply to initialize names the server, incremental changes, both kinds of completion and the commands."""
    async with connected(capabilities=NEOVIM) as client:
        result = client.result
        capabilities = result["capabilities"]
        assert result["serverInfo"]["name"] == "guiderail"
        assert capabilities["positionEncoding"] == "utf-8"
        assert capabilities["textDocumentSync"]["change"] == 2
        assert capabilities["textDocumentSync"]["openClose"]
        assert capabilities["inlineCompletionProvider"] == {}
        assert "completionProvider" in capabilities
        names = {"accept", "toggle", "snooze", "why", "stats", "showLog", "explain", "restart", "dismissNextEdit"}
        assert {f"guiderail.{name}" for name in names} == set(capabilities["executeCommandProvider"]["commands"])


@pytest.mark.parametrize(
    ("editor", "encoding"), [("neovim", "utf-8"), ("visual_studio_code", "utf-16"), ("emacs", "utf-32")]
)
async def test_real_editors_are_understood(editor: str, encoding: str) -> None:
    """With the capabilities that real editors send, a conversation goes as with any other."""
    told = converter().unstructure(client_capabilities(editor))
    async with connected(capabilities=told, settings={"maxSuggestions": 2}) as client:
        assert client.result["capabilities"]["positionEncoding"] == client.state.encoding == encoding
        uri = client.open("x🙂 = ")
        client.change(uri, 0, 0, 1, "y")
        assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["y🙂 = "]


async def test_a_client_that_never_says_initialized_is_served() -> None:
    """No request waits for ever for settings that do not come."""
    async with connected(greet=False, configuration_timeout_s=0.05) as client:
        assert await client.ghost(client.open("x = "), 0, 4)


async def test_requests_before_initialize_are_refused() -> None:
    """They get an error; exit then gives the code of an error."""
    async with connected(introduce=False) as client:
        with pytest.raises(Failure) as failure:
            await client.ask("guiderail/status")
        assert failure.value.code == -32002
        client.tell("exit")
        assert await asyncio.wait_for(client.server.gone, 1) == 1


async def test_requests_after_shutdown_are_refused() -> None:
    """They get an error; pending ones are answered; exit then gives the code 0."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.gate.clear()
        _, pending = client.begin("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        await client.settle()
        await client.ask("shutdown")
        assert (await asyncio.wait_for(asyncio.gather(pending, return_exceptions=True), 5))[0] is not None
        with pytest.raises(Failure) as failure:
            await client.ask("guiderail/status")
        assert failure.value.code == -32600
        client.tell("exit")
        assert await asyncio.wait_for(client.server.gone, 1) == 0


async def test_a_root_of_an_old_client_need_not_be_absolute() -> None:
    """`rootPath`, which came before `rootUri`, is taken however it is written."""
    async with connected(hello={"rootPath": "somewhere", "workspaceFolders": None}) as client:
        assert list(client.state.folders) == [Path.cwd() / "somewhere"]
