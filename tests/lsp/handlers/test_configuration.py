"""The client's settings, those of its projects, and its folders."""

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.settings import Settings
from tests.lsp.client import NEOVIM, Client, connected

pytestmark = pytest.mark.asyncio


async def _chosen(client: Client, *files: Path) -> list[int]:
    """max_tokens and max_suggestions of a request by hand in each file; -1 where there is no suggestion."""
    found = []
    for file in files:
        items = await client.ghost(client.open("x = ", file.as_uri()), 0, 4, 1)
        found += [client.engine.settings[-1].max_tokens, len(items)] if items else [-1]
    return found


async def test_settings_come_by_pull_and_push() -> None:
    """Settings are asked for at the start, and again, or taken, when they change; a wrong one is told once."""
    async with connected(capabilities=NEOVIM, settings={"maxSuggestions": 2, "model": "mine"}) as client:
        assert "workspace/configuration" in client.asked
        assert client.engine.name == "mine"
        assert client.state.policy.preferences.max_suggestions == 2
        client.settings = {"maxSuggestions": 4}
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert client.state.policy.preferences.max_suggestions == 4
        assert client.engine.name == "embedded"
        for _ in range(2):
            client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"topP": 7, "model": "other"}}})
            await client.settle()
        assert client.engine.name == "other"
        (said,) = client.messages()
        assert "top_p" in said


async def test_a_setting_can_be_taken_back() -> None:
    """What a client says later is all that is set: not what `initialize` brought; saying nothing leaves that."""
    given = {"maxSuggestions": 2}
    async with connected(capabilities=NEOVIM, options=given, settings={"maxSuggestions": 4, "menu": False}) as client:
        preferences = lambda: client.state.policy.preferences  # noqa: E731
        assert preferences().max_suggestions == 4
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"menu": False}}})
        await client.settle()
        assert preferences().max_suggestions == 3
        client.settings = None
        client.tell("workspace/didChangeConfiguration", {"settings": None})
        await client.settle()
        assert (preferences().max_suggestions, preferences().menu) == (2, None)


async def test_settings_that_come_late_are_taken() -> None:
    """A client that answers after the server stopped waiting has its settings taken all the same."""
    async with connected(capabilities=NEOVIM, mute=True, configuration_timeout_s=0.0) as client:
        assert await client.ghost(client.open("x = "), 0, 4)
        client.answer([{"maxSuggestions": 4}])
        await client.settle()
        assert client.state.policy.preferences.max_suggestions == 4


async def test_the_projects_settings_follow_its_file_and_the_roots(tmp_path: Path) -> None:
    """[tool.guiderail] of the first root counts, anew when it is saved and when another root is the first."""
    one, two = tmp_path / "one", tmp_path / "two"
    for root, tokens in ((one, 5), (two, 6)):
        root.mkdir()
        (root / "pyproject.toml").write_text(f"[tool.guiderail]\nmax_tokens = {tokens}\n")
    async with connected(roots=(one,)) as client:
        tokens = lambda: client.state.policy.preferences.settings.max_tokens  # noqa: E731
        assert tokens() == 5
        (one / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 7\n")
        uri = (one / "pyproject.toml").as_uri()
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert tokens() == 7
        event = {"added": [{"uri": two.as_uri(), "name": "two"}], "removed": [{"uri": one.as_uri(), "name": "one"}]}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": event})
        assert tokens() == 6


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
        (said,) = client.messages()
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
        (said,) = client.messages()
        assert "model, cache_mb cannot be chosen here" in said
        assert "without --tcp" in said
        await client.command("restart")
        await client.settle()
        assert client.engine.name == "theirs"
    async with connected(shared=shared, options={"maxTokens": 5}) as client:
        assert client.messages() == []


async def test_changed_settings_void_what_is_remembered() -> None:
    """A suggestion made under other settings is not given again."""
    async with connected() as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"maxTokens": 3}}})
        await client.ghost(uri, 0, 4)
        assert client.engine.asked == ["x = ", "x = "]


async def test_settings_that_do_not_go_together_are_said_once() -> None:
    """What only the engine can refuse is told to the person, once, with what to do; the request gets an empty list."""
    async with connected() as client:
        uri = client.open("x = ")
        for _ in range(2):
            client.engine.failure = UsageError("drafts need greedy decoding", "Set temperature to 0")
            assert await client.ghost(uri, 0, 4) == []
        (said,) = client.messages()
        assert "temperature" in said
        assert await client.ghost(uri, 0, 4)


async def test_roots_come_and_go(tmp_path: Path) -> None:
    """Folders added and removed while the server runs decide which project a file belongs to."""
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        root.mkdir()
    async with connected(roots=(one,)) as client:
        folder = {"uri": two.as_uri(), "name": "two"}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        assert client.state.policy.root_of(two / "a.py") == two
        gone = {"uri": one.as_uri(), "name": "one"}
        client.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [gone]}})
        assert client.state.policy.roots == [two]
