"""Commands, and what the server says of itself and of languages."""

from pathlib import Path

import pytest

from tests.lsp.client import NEOVIM, connected
from tests.monitors.python.layouts import environment, write

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("scope", ["global", "language", "file"])
async def test_the_toggle_stops_requests_and_starts_them(scope: str) -> None:
    """Switched off, nothing reaches the model; switched on again, it does; globally, the model's memory is freed."""
    async with connected() as client:
        uri = client.open("x = ")
        for enabled in (False, True):
            reply = await client.command("toggle", {"scope": scope, "uri": uri})
            assert reply["enabled"] is enabled
            await client.settle()
            assert client.engine.name == ("embedded" if enabled or scope != "global" else "")
            assert bool(await client.ghost(uri, 0, 4)) is enabled


async def test_the_toggle_tells_how_the_document_is_that_it_names() -> None:
    """Whichever document was in front, the reply's status says what keeps suggestions off in this one, if anything."""
    async with connected() as client:
        uri = client.open("# guiderail: off\n")
        client.open("x = ", "untitled:2")
        reply = await client.command("toggle", {"scope": "file", "uri": uri})
        assert (reply["status"]["state"], reply["status"]["message"]) == ("disabled", "the file says guiderail: off")


async def test_a_file_that_is_not_open_cannot_be_toggled() -> None:
    """Toggling a file that is not open changes nothing, least of all everything."""
    async with connected() as client:
        reply = await client.command("toggle", {"scope": "file", "uri": "untitled:9"})
        assert (reply["scope"], reply["enabled"]) == ("file", False)
        assert await client.ghost(client.open("x = "), 0, 4)


async def test_a_language_is_switched_by_any_of_its_names() -> None:
    """The toggle of a nickname is that of the language."""
    async with connected() as client:
        uri = client.open("x = ")
        for enabled in (False, True):
            await client.command("toggle", {"scope": "language", "language": "Py", "uri": uri})
            assert bool(await client.ghost(uri, 0, 4)) is enabled


async def test_the_server_says_how_a_language_is_turned(tmp_path: Path) -> None:
    """An editor that keeps its switches in its settings asks whether a language is on, and what to set then: prose is
    off unless it is named, whichever folder's settings count."""
    uri = (tmp_path / "a.md").as_uri()
    async with connected(capabilities=NEOVIM, roots=(tmp_path,), settings={"disableLanguages": ["py"]}) as client:
        found = await client.ask("guiderail/language", {"uri": uri, "language": "markdown"})
        turned = {"enableLanguages": ["*", "markdown"]}
        assert found == {"language": "markdown", "enabled": False, "turned": turned}
        client.settings = turned
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert await client.ghost(client.open("x = ", uri, "markdown"), 0, 4)
        found = await client.ask("guiderail/language", {"uri": uri, "language": "markdown"})
        assert (found["enabled"], found["turned"]) == (True, {"disableLanguages": ["markdown"]})


async def test_explain_describes_the_last_suggestion() -> None:
    """explain names layout, tokens, timings, score and context; what was shown and accepted is counted."""
    async with connected() as client:
        assert "message" in await client.command("explain")
        uri = client.open("x = ")
        (item,) = await client.ghost(uri, 0, 4)
        client.tell("textDocument/didShowCompletion", {"item": item})
        client.tell("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 2})
        found = await client.command("explain")
        keys = {
            "layout",
            "promptTokens",
            "reusedTokens",
            "method",
            "passes",
            "pauses",
            "monitors",
            "contextFiles",
            "timings",
            "score",
            "finish",
            "text",
        }
        assert keys <= set(found)
        assert (found["session"]["displayed"], found["session"]["accepted"]) == (1, 1)
        assert (await client.command("showLog"))["path"].endswith("lsp.log")


async def test_explain_says_where_a_files_modules_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter, import roots and packages of a Python file; nothing of others."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    write(tmp_path, {"app/main.py": ""})
    site = environment(tmp_path / ".venv", "installed", version="3.12.3")
    async with connected(roots=(tmp_path,)) as client:
        await client.ghost(client.open("x = ", (tmp_path / "app" / "main.py").as_uri()), 0, 4)
        found = (await client.command("explain"))["python"]
        assert (found["version"], found["packages"], found["doubt"]) == ("3.12", [str(site)], None)
        assert found["roots"][0] == str(tmp_path / "app")
        await client.ghost(client.open("let x = ", "untitled:2", "javascript"), 0, 8)
        assert (await client.command("explain"))["python"] is None
