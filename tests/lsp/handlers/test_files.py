"""Files and folders that others write, move or delete."""

from pathlib import Path

import pytest

from tests.lsp.client import connected

pytestmark = pytest.mark.asyncio


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
        said = client.result["capabilities"]["workspace"]["fileOperations"]
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
