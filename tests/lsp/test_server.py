"""The protocol's surface, against an engine whose answers are known."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from guiderail.engine.engine import NotLoadedError
from guiderail.errors import GuiderailError, UsageError
from guiderail.lsp.wire import converter
from guiderail.lsp.worker import Health
from guiderail.settings import Settings
from tests.lsp.client import NEOVIM, Client, Failure, at, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GUIDERAIL_MODEL", raising=False)


@pytest.fixture(autouse=True)
def nothing_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nobody asks for what is after a suggestion because it stood for a while."""
    monkeypatch.setattr("guiderail.lsp.server.AHEAD", 3600.0)


async def test_what_the_server_can_do_is_said() -> None:
    """The reply to initialize names the server, incremental changes, both kinds of completion and the commands."""
    async with connected(capabilities=NEOVIM) as client:
        result = client.result  # pyright: ignore[reportAttributeAccessIssue]
        capabilities = result["capabilities"]
        assert result["serverInfo"]["name"] == "guiderail"
        assert capabilities["positionEncoding"] == "utf-8"
        assert capabilities["textDocumentSync"]["change"] == 2
        assert capabilities["textDocumentSync"]["openClose"]
        assert capabilities["inlineCompletionProvider"] == {}
        assert "completionProvider" in capabilities
        names = {"accept", "toggle", "showLog", "explain", "restart"}
        assert {f"guiderail.{name}" for name in names} == set(capabilities["executeCommandProvider"]["commands"])


@pytest.mark.parametrize("editor", ["neovim", "visual_studio_code", "emacs"])
async def test_real_editors_are_understood(editor: str) -> None:
    """With the capabilities that real editors send, a conversation goes as with any other."""
    told = _unstructured(client_capabilities(editor))
    async with connected(capabilities=told, settings={"maxSuggestions": 2}) as client:
        expected = "utf-16" if editor != "neovim" else "utf-8"
        offered = (told.get("general") or {}).get("positionEncodings") or ["utf-16"]
        assert client.server._encoding == offered[0] == expected or editor == "emacs"
        uri = client.open("x🙂 = ")
        client.change(uri, 0, 0, 1, "y")
        assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["y🙂 = "]


def _unstructured(capabilities: Any) -> Any:
    return converter().unstructure(capabilities)


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


async def test_changes_are_prepared_before_the_request_comes() -> None:
    """A change alone has its prompt encoded; the request after it follows the same text."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = \n")
        client.change(uri, 0, 4, 4, "f")
        await client.settle()
        assert engine.prepared == ["x = f"]


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


async def test_carriage_returns_come_back() -> None:
    """The model is given line feeds, and what it writes gets the document's own line ends."""
    engine = FakeEngine("a:\n    b")
    async with connected(engine) as client:
        uri = client.open("x = 1\r\nif \r\n")
        (item,) = await client.ghost(uri, 1, 3)
        assert item["insertText"] == "a:\n    b"  # the fake engine bypasses the conversion; see test_engine
        client.change(uri, 1, 3, 3, "q")
        assert client.server.buffers[uri].text == "x = 1\r\nif q\r\n"


async def test_status_tells_state_and_remedy() -> None:
    """The status request and notification tell loading, ready, disabled and error, with the model and what to do."""
    async with connected() as client:
        found = await client.ask("guiderail/status")
        assert set(found) == {"state", "message", "remedy", "model", "version", "enabled", "device"}
        assert (found["state"], found["enabled"], found["model"]) == ("ready", True, "embedded")
        assert client.last("guiderail/didChangeStatus") == found
        states = [params["state"] for name, params in client.heard if name == "guiderail/didChangeStatus"]
        assert states[0] == "loading"
        client.server.worker._report(Health("error", "it broke", "mend it", "m", "cpu"))
        await client.settle()
        found = client.last("guiderail/didChangeStatus")
        assert (found["state"], found["message"], found["remedy"]) == ("error", "it broke", "mend it")


async def test_a_refused_document_says_why(tmp_path: Path) -> None:
    """An ignored file and one that says off get nothing, and the status names the reason."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("secret.py\n")
    async with connected(roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "secret.py").as_uri())
        assert await client.ghost(uri, 0, 4) == []
        assert client.last("guiderail/didChangeStatus")["state"] == "disabled"
        other = client.open("# guiderail: off\nx = ", (tmp_path / "b.py").as_uri())
        assert await client.ghost(other, 1, 4) == []
        assert "off" in (await client.ask("guiderail/status", {"uri": other}))["message"]
        fine = client.open("x = ", (tmp_path / "a.py").as_uri())
        assert await client.ghost(fine, 0, 4)
        assert client.engine.prepared == []
        assert client.last("guiderail/didChangeStatus")["state"] == "ready"


async def test_the_status_is_that_of_the_document_in_front() -> None:
    """Where the client tells what is in front, documents that it opens and changes behind the scenes do not count."""
    async with connected() as client:
        front = client.open("x = ")
        await client.ask("guiderail/status", {"uri": front})
        hidden = client.open("{}", "untitled:settings", "jsonc")
        client.change(hidden, 0, 1, 1, " ")
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"disableLanguages": ["python"]}}})
        client.tell("textDocument/didSave", {"textDocument": {"uri": hidden}})
        client.tell("textDocument/didClose", {"textDocument": {"uri": hidden}})
        await client.settle()
        assert client.last("guiderail/didChangeStatus")["message"] == "suggestions are off for python"


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


async def test_a_language_is_switched_by_any_of_its_names() -> None:
    """The toggle of a nickname is that of the language."""
    async with connected() as client:
        uri = client.open("x = ")
        for enabled in (False, True):
            await client.command("toggle", {"scope": "language", "language": "Py", "uri": uri})
            assert bool(await client.ghost(uri, 0, 4)) is enabled


async def test_settings_come_by_pull_and_push() -> None:
    """Settings are asked for at the start, and again, or taken, when they change; a wrong one is told once."""
    async with connected(capabilities=NEOVIM, settings={"maxSuggestions": 2, "model": "mine"}) as client:
        assert "workspace/configuration" in client.asked
        assert client.engine.name == "mine"
        assert client.server.policy.preferences.max_suggestions == 2
        client.settings = {"maxSuggestions": 4}
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert client.server.policy.preferences.max_suggestions == 4
        assert client.engine.name == "embedded"
        for _ in range(2):
            client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"topP": 7, "model": "other"}}})
            await client.settle()
        assert client.engine.name == "other"
        (said,) = _said(client)
        assert "top_p" in said


async def test_a_setting_can_be_taken_back() -> None:
    """What a client says later is all that is set: not what `initialize` brought; saying nothing leaves that."""
    given = {"maxSuggestions": 2}
    async with connected(capabilities=NEOVIM, options=given, settings={"maxSuggestions": 4, "menu": False}) as client:
        preferences = lambda: client.server.policy.preferences  # noqa: E731
        assert preferences().max_suggestions == 4
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"menu": False}}})
        await client.settle()
        assert preferences().max_suggestions == 3
        client.settings = None
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert (preferences().max_suggestions, preferences().menu) == (2, None)


async def test_settings_that_come_late_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that answers after the server stopped waiting has its settings taken all the same."""
    monkeypatch.setattr("guiderail.lsp.server.START_PATIENCE", 0.0)
    async with connected(capabilities=NEOVIM, mute=True) as client:
        assert await client.ghost(client.open("x = "), 0, 4)
        client.answer([{"maxSuggestions": 4}])
        await client.settle()
        assert client.server.policy.preferences.max_suggestions == 4


async def test_the_projects_settings_follow_its_file_and_the_roots(tmp_path: Path) -> None:
    """[tool.guiderail] of the first root counts, anew when it is saved and when another root is the first."""
    one, two = tmp_path / "one", tmp_path / "two"
    for root, tokens in ((one, 5), (two, 6)):
        root.mkdir()
        (root / "pyproject.toml").write_text(f"[tool.guiderail]\nmax_tokens = {tokens}\n")
    async with connected(roots=(one,)) as client:
        tokens = lambda: client.server.policy.preferences.settings.max_tokens  # noqa: E731
        assert tokens() == 5
        (one / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 7\n")
        uri = (one / "pyproject.toml").as_uri()
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert tokens() == 7
        event = {"added": [{"uri": two.as_uri(), "name": "two"}], "removed": [{"uri": one.as_uri(), "name": "one"}]}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": event})
        assert tokens() == 6


async def _chosen(client: Client, *files: Path) -> list[int]:
    """max_tokens and max_suggestions of a request by hand in each file; -1 where there is no suggestion."""
    found = []
    for file in files:
        items = await client.ghost(client.open("x = ", file.as_uri()), 0, 4, 1)
        found += [client.engine.settings[-1].max_tokens, len(items)] if items else [-1]
    return found


async def test_each_folder_has_its_own_settings(tmp_path: Path) -> None:
    """A document has its folder's settings, of the editor and of the project; outside of all, those of the first."""
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "out"
    for root in (one, two, out):
        root.mkdir()
    (two / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 7\n")
    folders = {one.as_uri(): {"maxTokens": 5, "maxSuggestions": 2}, two.as_uri(): {"maxSuggestions": 1}}
    async with connected(capabilities=NEOVIM, roots=(one, two), folders=folders) as client:
        files = (one / "a.py", two / "a.py", out / "a.py")
        assert await _chosen(client, *files) == [5, 2, 7, 1, 5, 2]
        client.folders[two.as_uri()] = {"disableLanguages": ["python"]}
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert await _chosen(client, *files) == [5, 2, -1, 5, 2]
        client.folders |= {two.as_uri(): {"maxTokens": 9}, out.as_uri(): {"maxTokens": 11}}
        event = {"added": [{"uri": out.as_uri(), "name": "out"}], "removed": [{"uri": one.as_uri(), "name": "one"}]}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": event})
        await client.settle()
        assert await _chosen(client, *files) == [9, 3, 9, 3, 11, 3]


async def test_suggestions_can_be_off_in_one_folder(tmp_path: Path) -> None:
    """A folder that switches them off gets none, and says so; the others do, and the model stays."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    async with connected(capabilities=NEOVIM, roots=(one, two), folders={one.as_uri(): {"enable": False}}) as client:
        files = (one / "a.py", two / "a.py")
        assert await _chosen(client, *files) == [-1, 64, 3]
        found = await client.ask("guiderail/status", {"uri": files[0].as_uri()})
        assert (found["state"], found["enabled"]) == ("disabled", True)
        assert "for the folder" in found["remedy"]
        for expected in ([-1, -1], [-1, 64, 3]):  # all off, and back to what the settings say
            await client.command("toggle")
            await client.settle()
            assert await _chosen(client, *files) == expected
        client.folders[two.as_uri()] = {"enable": False}
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert client.engine.name == ""


def _said(client: Client) -> list[str]:
    return [params["message"] for method, params in client.heard if method == "window/showMessage"]


async def test_the_first_folder_chooses_the_model(tmp_path: Path) -> None:
    """A process has one model: another folder's choice is left out, which is said once, with what to do."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    folders = {one.as_uri(): {"model": "mine"}, two.as_uri(): {"model": "other", "maxTokens": 5}}
    async with connected(capabilities=NEOVIM, roots=(one, two), folders=folders) as client:
        assert client.engine.name == "mine"
        assert await _chosen(client, two / "a.py") == [5, 3]
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert client.engine.name == "mine"
        (said,) = _said(client)
        assert "model cannot be chosen for the folder two" in said
        assert "Choose it in one" in said


async def test_a_client_of_a_shared_server_hears_what_it_cannot_choose() -> None:
    """Settings that only who started the server can choose are named once, with what to do; the others count."""
    shared = Settings(model="theirs", threads=2)
    options = {"model": "mine", "threads": 2, "cacheMb": 7, "maxTokens": 5}
    async with connected(shared=shared, options=options) as client:
        assert await client.ghost(client.open("x = "), 0, 4)
        assert client.engine.settings[-1] == replace(shared, max_tokens=5)
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": options}})
        (said,) = _said(client)
        assert "model, cache_mb cannot be chosen here" in said
        assert "without --tcp" in said
        await client.command("restart")
        await client.settle()
        assert client.engine.name == "theirs"
    async with connected(shared=shared, options={"maxTokens": 5}) as client:
        assert _said(client) == []


@pytest.mark.parametrize("dynamic", [True, False])
async def test_a_client_that_can_watch_files_is_asked_to(dynamic: bool) -> None:
    """Where the client takes registrations it is asked to tell of code and of project files, else of nothing."""
    capability = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": dynamic}}}
    async with connected(capabilities=capability) as client:
        watched = client.registered.get("workspace/didChangeWatchedFiles", {"watchers": []})["watchers"]
        globs = " ".join(watcher["globPattern"] for watcher in watched)
        assert all((word in globs) is dynamic for word in ("py,", ",tsx,", "toml", ".gitignore", "go.mod"))
        assert ({"globPattern": "**/*", "kind": 5} in watched) is dynamic  # folders that come and go


async def test_what_other_tools_write_voids_what_was_made_of_it(tmp_path: Path) -> None:
    """Files that git or others change reach engine and settings, and suggestions made before are made anew."""
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    project = tmp_path / "pyproject.toml"
    async with connected(roots=(tmp_path,)) as client:

        def happens(*paths: Path) -> None:
            changes = [{"uri": path.as_uri(), "type": 1 + number % 3} for number, path in enumerate(paths)]
            client.tell("workspace/didChangeWatchedFiles", {"changes": changes})

        uri = client.open("x = ", one.as_uri())
        await client.ghost(uri, 0, 4)
        happens(one, one)  # as the editor saves it; two of the patterns match a file that comes
        await client.ghost(uri, 0, 4)
        assert len(client.engine.asked) == 1
        project.write_text("[tool.guiderail]\nmax_tokens = 5\n")
        happens(other, project, one, other)
        await client.ghost(uri, 0, 4)
        assert [settings.max_tokens for settings in client.engine.settings] == [64, 5]
        assert client.engine.changed == [one, other, project, one]


@pytest.mark.parametrize(
    ("name", "kind", "matters"),
    [
        ("known.folder", 3, True),
        ("4913", 3, False),  # an editor tries whether it can write
        ("module.o", 3, False),
        (".git/objects/ab", 1, False),
        ("made", 1, True),
        ("made.file", 1, False),
    ],
)
async def test_folders_that_come_and_go_void_what_was_made_of_them(
    tmp_path: Path, name: str, kind: int, matters: bool
) -> None:
    """Of a whole folder a client tells one event, under its name alone; products of builds are passed over."""
    (tmp_path / "made").mkdir()
    (tmp_path / ".git" / "objects" / "ab").mkdir(parents=True)
    (tmp_path / "made.file").touch()
    async with connected(roots=(tmp_path,), options={"speculate": False}) as client:
        uri = client.open("x = ", (tmp_path / "one.py").as_uri())
        await client.ghost(uri, 0, 4)
        changes = [{"uri": (tmp_path / name).as_uri(), "type": kind}]
        client.tell("workspace/didChangeWatchedFiles", {"changes": changes})
        await client.ghost(uri, 0, 4)
        assert len(client.engine.asked) == 1 + matters
        assert client.engine.changed == [tmp_path / name] * matters


async def test_folders_that_an_editor_deletes_or_renames_are_told(tmp_path: Path) -> None:
    """An editor that tells what is done to folders in it is asked to; the settings of a folder that went are gone."""
    root = tmp_path / "group" / "root"
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 5\n")
    operations = {"didDelete": True, "didRename": True}
    capabilities, options = {"workspace": {"fileOperations": operations}}, {"speculate": False}
    async with connected(capabilities=capabilities, roots=(root,), options=options) as client:
        said = client.result["capabilities"]["workspace"]["fileOperations"]  # pyright: ignore[reportAttributeAccessIssue]
        folders = {"scheme": "file", "pattern": {"glob": "**/*", "matches": "folder"}}
        assert said == {name: {"filters": [folders]} for name in operations}
        old, new = root.parent, tmp_path / "new"
        uri = client.open("x = ", "untitled:1")
        await client.ghost(uri, 0, 4)
        old.rename(new)
        client.tell("workspace/didRenameFiles", {"files": [{"oldUri": old.as_uri(), "newUri": new.as_uri()}]})
        await client.ghost(uri, 0, 4)
        client.tell("workspace/didDeleteFiles", {"files": [{"uri": new.as_uri()}]})
        await client.ghost(uri, 0, 4)
        assert [settings.max_tokens for settings in client.engine.settings] == [5, 64, 64]
        assert client.engine.changed == [old, new, new]


async def test_changed_settings_void_what_is_remembered() -> None:
    """A suggestion made under other settings is not given again."""
    async with connected() as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"maxTokens": 3}}})
        await client.ghost(uri, 0, 4)
        assert client.engine.asked == ["x = ", "x = "]


async def test_loading_shows_progress() -> None:
    """A client that can show progress sees loading begin and end."""
    async with connected(capabilities={"window": {"workDoneProgress": True}}) as client:
        await client.command("restart")
        await client.settle()
        kinds = [params["value"]["kind"] for name, params in client.heard if name == "$/progress"]
        assert kinds.count("begin") == kinds.count("end") >= 1


async def test_a_model_that_is_not_here_is_no_slow_load() -> None:
    """Nothing is downloaded while a model is loaded: progress ends at once, with the command that fetches it."""

    class Missing(FakeEngine):
        def load(self, settings: Settings) -> None:
            if settings.model != "embedded":
                raise GuiderailError(f"The model {settings.model} is not here", "Fetch it: guiderail models pull")

    async with connected(Missing(), capabilities={"window": {"workDoneProgress": True}}) as client:
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"model": "some/model"}}})
        await client.settle()
        ends = [params["value"] for name, params in client.heard if name == "$/progress"]
        assert ends[-1] == {
            "kind": "end",
            "message": "The model some/model is not here. Fetch it: guiderail models pull",
        }


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


async def test_settings_that_do_not_go_together_are_said_once() -> None:
    """What only the engine can refuse is told to the person, once, with what to do; the request gets an empty list."""
    async with connected() as client:
        uri = client.open("x = ")
        for _ in range(2):
            client.engine.failure = UsageError("drafts need greedy decoding", "Set temperature to 0")
            assert await client.ghost(uri, 0, 4) == []
        (said,) = _said(client)
        assert "temperature" in said
        assert await client.ghost(uri, 0, 4)


@pytest.mark.parametrize("params", [None, {}, {"item": None}, {"item": {"command": {"arguments": []}}}, [1], "x"])
async def test_odd_reports_of_acceptance_do_no_harm(params: Any) -> None:
    """Whatever a client reports about items, the server goes on."""
    async with connected() as client:
        client.tell("textDocument/didShowCompletion", params)
        client.tell("textDocument/didPartiallyAcceptCompletion", params)
        await client.command("accept", params)
        assert (await client.ask("guiderail/status"))["state"] == "ready"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"id": 9}', -32600),
        ({"id": 9, "method": "guiderail/unknown"}, -32601),
        ({"id": 9, "method": "workspace/executeCommand", "params": {"command": "nope"}}, -32602),
        ({"id": 9, "method": "textDocument/inlineCompletion", "params": {"position": 3}}, -32602),
        ({"id": 9, "method": "textDocument/inlineCompletion"}, -32602),
        ({"id": 9, "method": "initialize", "params": {"capabilities": {}}}, -32600),
    ],
)
async def test_what_cannot_be_understood_is_answered(message: Any, code: int) -> None:
    """Malformed bodies, unknown methods and wrong parameters get one error, and the server goes on."""
    async with connected() as client:
        before = len(client.replies)
        client.raw(message)
        await client.settle()
        errors = [reply["error"]["code"] for reply in client.replies[before:]]
        assert errors == [code]
        assert await client.ghost(client.open("x = "), 0, 4)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didChange", {"textDocument": {"uri": "untitled:9", "version": 1}, "contentChanges": []}),
        ("textDocument/didClose", {"textDocument": {"uri": "untitled:9"}}),
        ("textDocument/didChange", {"nonsense": 1}),
        ("notebookDocument/didOpen", {"notebookDocument": {}, "cellTextDocuments": []}),
        ("guiderail/unknown", {"a": [1]}),
        ("$/setTrace", {"value": "verbose"}),
        ("window/workDoneProgress/cancel", {"token": "x"}),
    ],
)
async def test_odd_notifications_do_no_harm(method: str, params: Any) -> None:
    """Notifications about nothing known are passed over in silence."""
    async with connected() as client:
        client.tell(method, params)
        assert await client.ghost(client.open("x = "), 0, 4)
        assert not [reply for reply in client.replies if "error" in reply]


async def test_a_request_for_a_document_that_is_not_open_gets_nothing() -> None:
    """Requests about unknown documents, and after the end of known ones, are answered."""
    async with connected() as client:
        assert await client.ghost("untitled:9", 0, 0) == []
        uri = client.open("x = ")
        assert await client.ghost(uri, 99, 99)
        assert client.engine.asked == ["x = "]


def _change(start: tuple[int, int], end: tuple[int, int], text: Any = "y") -> dict[str, Any]:
    places = ({"line": line, "character": column} for line, column in (start, end))
    return {"range": dict(zip(("start", "end"), places, strict=True)), "text": text}


async def _says_how_to_mend(client: Client, uri: str) -> None:
    assert await client.ghost(uri, 0, 99) == []
    assert (await client.ask("textDocument/completion", at(uri, 0, 0)))["items"] == []
    found = await client.ask("guiderail/status", {"uri": uri})
    assert (found["state"], found["remedy"]) == ("disabled", "Close the file and open it again")


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        _change((-1, 0), (0, 0)),
        _change((0, 0), (0, 2)),  # in the middle of the character
        {"range": {}, "text": "y"},
        "y",
        None,
    ],
)
async def test_a_change_that_cannot_be_applied_closes_its_document(change: Any) -> None:
    """A text that is not the client's any more gets no suggestions, which is said once; opening it anew mends it."""
    async with connected(options={"speculate": False}) as client:
        uri, other = client.open("x🙂 = "), client.open("y = ", "untitled:2")
        assert await client.ghost(uri, 0, 99)
        for sent in (change, _change((0, 0), (0, 0))):
            client.edit(uri, sent)
            await _says_how_to_mend(client, uri)
        said = [params["remedy"] for method, params in client.heard if method == "guiderail/didChangeStatus"]
        assert sum("open it again" in remedy for remedy in said) == 1
        assert await client.ghost(other, 0, 99)
        client.open("z = ", uri)
        assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["x🙂 = ", "y = ", "z = "]


async def test_a_whole_text_mends_a_lost_document() -> None:
    """A change that brings the whole text, alone or among others, makes an end of the doubt."""
    async with connected() as client:
        uri = client.open("x = ")
        for changes in (
            [{"text": "z = "}],
            [_change((0, 0), (9, 9)), {"range": None, "text": "a = "}, _change((0, 0), (0, 1))],
        ):
            client.edit(uri, None)
            await _says_how_to_mend(client, uri)
            client.edit(uri, *changes)
            assert await client.ghost(uri, 0, 99)
        assert client.engine.asked == ["z = ", "y = "]


@pytest.mark.parametrize("spelt", ['"file:///tmp/é.py"', '"file:///tmp/\\u00e9.py"', '"file:\\/\\/\\/tmp\\/é.py"'])
@pytest.mark.parametrize("method", ["didOpen", "didChange"])
async def test_a_text_that_cannot_be_read_is_missed_however_its_uri_is_spelt(method: str, spelt: str) -> None:
    """Its document suggests nothing from the text before; another one goes on."""
    async with connected() as client:
        uri, other = client.open("x = ", "file:///tmp/é.py"), client.open("y = ", "file:///tmp/other.py")
        params = f'{{"textDocument": {{"uri": {spelt}, "languageId": "python", "version": "x", "text": "z = "}}}}'
        body = f'{{"jsonrpc": "2.0", "method": "textDocument/{method}", "params": {params}}}'
        client.raw(body.encode())
        await _says_how_to_mend(client, uri)
        assert await client.ghost(other, 0, 99)


async def test_changes_out_of_order_close_the_document() -> None:
    """A change that is older than the last one was made to another text."""
    async with connected() as client:
        uri = client.open("x = ")
        client.edit(uri, _change((0, 0), (0, 0)), version=7)
        assert await client.ghost(uri, 0, 99)
        client.edit(uri, _change((0, 0), (0, 0)), version=6)
        await _says_how_to_mend(client, uri)


async def test_a_request_under_way_is_answered_when_its_document_is_lost() -> None:
    """Nobody waits for a suggestion in a text that is given up."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.gate.clear()
        _, pending = client.begin("textDocument/inlineCompletion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        await client.settle()
        client.edit(uri, None)
        assert (await asyncio.wait_for(pending, 5))["items"] == []


@pytest.mark.parametrize("damage", [b"\xff", b"\x00", b"}"])
async def test_a_body_that_is_no_json_closes_the_documents_that_it_names(damage: bytes) -> None:
    """A change whose very bytes are damaged is known by what it names; where it names none, all are in doubt."""
    async with connected() as client:
        one, two = client.open("x = ", "untitled:1"), client.open("y = ", "untitled:12")
        params = {"textDocument": {"uri": one, "version": 2}, "contentChanges": [{"text": "damaged"}]}
        body = json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}).encode()
        client.raw(body.replace(b"damaged", b'"' + damage))
        await _says_how_to_mend(client, one)
        assert await client.ghost(two, 0, 99)
        client.raw(b'{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": ' + damage)
        assert await client.ghost(two, 0, 99)
        client.raw(b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": ' + damage)
        await _says_how_to_mend(client, two)


async def test_notebook_cells_are_documents_of_their_own() -> None:
    """Two cells of one notebook are kept apart and both completed."""
    async with connected() as client:
        for cell, text in (("W0", "a = "), ("X1", "b = ")):
            uri = client.open(text, f"vscode-notebook-cell:/tmp/n.ipynb#{cell}")
            assert await client.ghost(uri, 0, 4)
            assert str(client.server.buffers[uri].document.path) == "/tmp/n.ipynb.py"  # analysers go by the ending
        assert client.engine.asked == ["a = ", "b = "]


async def test_closed_documents_leave_nothing() -> None:
    """After many documents were opened, edited, completed and closed, nothing is kept of them but a few suggestions."""
    async with connected(FakeEngine("abc")) as client:
        for number in range(60):
            uri = client.open("x = ", f"untitled:{number}")
            client.change(uri, 0, 4, 4, "y")
            await client.ghost(uri, 0, 5)
            client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        await client.settle()
        server = client.server
        assert not server.buffers
        assert not server.scheduler._desks
        assert len(server.protocol._request_futures) <= 2  # pygls keeps the two of `initialized`
        assert len(server.shelf) <= 16


async def test_a_client_that_goes_leaves_nothing() -> None:
    """What is kept for the open documents of a client goes with its connection, and who waits there waits no more."""
    engine, forgotten = FakeEngine(), list[str]()
    engine.forget = lambda name: forgotten.append(name[1])
    async with connected(engine, greet=False) as client:
        for number in range(2):
            client.change(client.open("x = ", f"untitled:{number}"), 0, 4, 4, "y")
        _, early = client.begin("textDocument/inlineCompletion", at("untitled:1", 0, 4))
        await client.settle()
        forgotten.clear()  # of what was open before under the same name
        client.server.close()
        await client.settle()
        assert sorted(forgotten) == ["untitled:0", "untitled:1"]
        assert (await asyncio.wait_for(early, 5))["items"] == []
        assert engine.asked == []
        assert not client.server.scheduler._desks


async def test_a_client_that_never_says_initialized_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for ever for settings that do not come."""
    monkeypatch.setattr("guiderail.lsp.server.START_PATIENCE", 0.05)
    async with connected(greet=False) as client:
        assert await client.ghost(client.open("x = "), 0, 4)


async def test_a_file_that_is_not_open_cannot_be_toggled() -> None:
    """Toggling a file that is not open changes nothing, least of all everything."""
    async with connected() as client:
        reply = await client.command("toggle", {"scope": "file", "uri": "untitled:9"})
        assert (reply["scope"], reply["enabled"]) == ("file", False)
        assert await client.ghost(client.open("x = "), 0, 4)


async def test_roots_come_and_go(tmp_path: Path) -> None:
    """Folders added and removed while the server runs decide which project a file belongs to."""
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        root.mkdir()
    async with connected(roots=(one,)) as client:
        folder = {"uri": two.as_uri(), "name": "two"}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        assert client.server.policy.root_of(two / "a.py") == two
        gone = {"uri": one.as_uri(), "name": "one"}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [gone]}})
        assert client.server.policy.roots == [two]


async def test_before_hello_and_behind_shutdown_requests_are_refused() -> None:
    """A request before initialize, or after shutdown, gets an error; pending ones are answered; exit's code tells."""
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

    class Missing(FakeEngine):
        def load(self, settings: Settings) -> None:
            raise GuiderailError("The model is not here")

    engine = Missing()
    async with connected(engine, options={"menu": True}) as client:
        uri = client.open("x = ")
        for _ in range(2):
            engine.failure = NotLoadedError("no model is loaded")
            assert (await client.ask("textDocument/completion", at(uri, 0, 4)))["items"] == []
            engine.failure = NotLoadedError("no model is loaded")
            assert await client.ghost(uri, 0, 4) == []
    (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("guiderail")]
    assert "The model is not here" in said


async def test_a_root_of_an_old_client_need_not_be_absolute() -> None:
    """`rootPath`, which came before `rootUri`, is taken however it is written."""
    async with connected(greet=False) as client:
        params = types.InitializeParams(types.ClientCapabilities(), root_path="somewhere")
        client.server._initialize(params)
        assert list(client.server._uris) == [Path.cwd() / "somewhere"]


async def test_a_large_file_is_ignored_with_a_reason() -> None:
    """A file of 20 MB gets nothing, says why, and takes no part in the worker's queue."""
    async with connected() as client:
        uri = client.open("x = 1\n" * 3_500_000)
        client.change(uri, 0, 0, 0, "y")
        assert await client.ghost(uri, 0, 1) == []
        assert "10 MB" in client.last("guiderail/didChangeStatus")["message"]
        assert client.engine.prepared == client.engine.asked == []


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
