"""Files and folders that others write, move or delete."""

import asyncio
from pathlib import Path

import pytest

from guiderail.lsp import disk_changes
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


@pytest.mark.parametrize("watches", [True, False])
async def test_a_save_finds_what_changed_around_it(tmp_path: Path, watches: bool) -> None:
    """Of a client that watches no files: git may have switched branches. What it tells itself is not looked for."""
    (tmp_path / "go.mod").touch()
    for name in ("saved.py", "kept.py", "written.py", "pack/gone.py", "node_modules/a.js", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old = 1\n")
    capability = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": watches}}}
    async with connected(capabilities=capability, roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "saved.py").as_uri())
        for name in ("saved.py", "written.py", "pack/come.py", "node_modules/a.js", "note.txt"):
            (tmp_path / name).write_text("different = 2\n")
        (tmp_path / "pack" / "gone.py").unlink()
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        others = [tmp_path / name for name in ("written.py", "pack/come.py", "pack/gone.py")]
        assert client.engine.changed[0] == tmp_path / "saved.py"
        assert set(client.engine.changed[1:]) == (set() if watches else set(others))
        before = len(client.engine.changed)
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert client.engine.changed[before:] == [tmp_path / "saved.py"]


async def test_a_large_project_is_scanned_before_the_next_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In slices: other messages wait, and others are served meanwhile."""
    monkeypatch.setattr(disk_changes, "SLICE_S", 0.0)
    monkeypatch.setattr(disk_changes, "WAIT_S", 60.0)
    (tmp_path / "go.mod").touch()
    for number in range(20):
        (tmp_path / f"pack{number}").mkdir()
        (tmp_path / f"pack{number}" / "module.py").write_text("old = 1\n")
    async with connected(roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "saved.py").as_uri())
        await client.server.protocol.wait_for_exclusive()
        changed = [tmp_path / f"pack{number}" / "module.py" for number in range(20)]
        for path in changed:
            path.write_text("different = 2\n")
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.server.protocol.wait_for_exclusive()
        assert set(client.engine.changed) == {tmp_path / "saved.py", *changed}


async def test_a_scan_that_takes_long_keeps_no_message_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on in the background, and what it finds counts."""
    real, is_held = disk_changes._slice_of, True
    monkeypatch.setattr(disk_changes, "_slice_of", lambda scan: None if is_held else real(scan))
    monkeypatch.setattr(disk_changes, "WAIT_S", 0.0)
    (tmp_path / "go.mod").touch()
    (tmp_path / "module.py").write_text("old = 1\n")
    async with connected(roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "saved.py").as_uri())

        async def finish() -> None:
            nonlocal is_held
            await client.server.protocol.wait_for_exclusive()
            assert await client.ghost(uri, 0, 4)  # while the scan stands still
            is_held = False
            async with asyncio.timeout(60):
                while client.server.protocol._tasks:
                    await asyncio.sleep(0.01)

        await finish()
        assert client.state.disk.knows(tmp_path)
        (tmp_path / "module.py").write_text("different = 2\n")
        is_held = True
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert client.engine.changed == [tmp_path / "saved.py"]
        await finish()
        assert client.engine.changed == [tmp_path / "saved.py", tmp_path / "module.py"]


async def test_a_project_is_scanned_once_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "module.py").touch()
    disk = disk_changes.DiskChanges()
    scan = disk.scan(tmp_path)
    next(scan)
    assert list(disk.scan(tmp_path)) == []  # without a step
    scan.close()
    assert list(disk.scan(tmp_path)) != []


async def test_a_root_without_a_project_is_not_scanned(tmp_path: Path) -> None:
    """A home folder, say, that an editor names as the root of a file in no project."""
    async with connected(roots=(tmp_path,)) as client:
        uri = client.open("x = ", (tmp_path / "saved.py").as_uri())
        assert not client.state.disk.knows(tmp_path)
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        assert not client.state.disk.knows(tmp_path)
        (tmp_path / "go.mod").touch()
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.server.protocol.wait_for_exclusive()
        assert client.state.disk.knows(tmp_path)


@pytest.mark.parametrize("bound", ["MOST_FILES", "MOST_FOLDERS"])
async def test_of_a_project_that_is_too_large_nothing_is_taken_for_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """What was not reached may still be there."""
    for number in range(5):
        (tmp_path / f"pack{number}").mkdir()
        (tmp_path / f"pack{number}" / "module.py").touch()
    disk = disk_changes.DiskChanges()

    def scan() -> list[Path]:
        steps = disk.scan(tmp_path)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value

    assert scan() == []
    monkeypatch.setattr(disk_changes, bound, 1)
    assert scan() == []
    monkeypatch.setattr(disk_changes, bound, 100)
    assert scan() == []
