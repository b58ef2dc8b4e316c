"""The laws of what changes on the disk while a server runs."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.serve import disk_watch
from guiderail.serve.disk_watch import DiskWatch
from guiderail.serve.project_files import ProjectFiles
from guiderail.serve.service import CompletionService
from tests.serve.client import Client
from tests.serve.engine import ToldEngine
from tests.serve.test_project_files import SHAPES, asked, write


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_watch, "PAUSE_S", 0.0)
    monkeypatch.setattr(disk_watch, "SCAN_S", 20.0)


def ask(client: Client, name: str, text: str = "x = ") -> None:
    response = client.post("/completion", {"prompt": text, "guiderail": {"file": name}})
    assert response.json["guiderail"]["file"] == name


def test_what_changes_under_the_roots_is_told_to_the_engine(
    service: CompletionService, client: Client, engine: ToldEngine, root: Path
) -> None:
    """A file that is written, one that comes and one that goes, before the next answer; and each of them once."""
    written, gone = write(root, "shapes.py"), write(root, "gone.py")
    service.warm()
    ask(client, "shop.py")
    assert engine.changed == []
    written.write_text("class New: ...\n", encoding="utf-8")
    gone.unlink()
    new = write(root, "lib/new.py")
    ask(client, "shop.py")
    assert sorted(engine.changed) == sorted([written, gone, new])
    ask(client, "shop.py")
    assert len(engine.changed) == 3


def test_a_root_is_not_scanned_at_every_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only after a pause."""
    monkeypatch.setattr(disk_watch, "PAUSE_S", 1000.0)
    watch = DiskWatch([root])
    watch.changed()
    write(root, "a.py")
    assert watch.changed() == []
    watch._next.clear()
    assert watch.changed() == [root / "a.py"]


def test_a_long_scan_goes_on_at_the_next_request(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps no request waiting for long, and finds what it finds."""
    for number in range(20):
        write(root, f"{number}.py")
    watch = DiskWatch([root])
    watch.changed()
    write(root, "new.py")
    monkeypatch.setattr(disk_watch, "SCAN_S", 0.0)
    assert watch.changed() == []
    monkeypatch.setattr(disk_watch, "SCAN_S", 20.0)
    assert watch.changed() == [root / "new.py"]


def test_many_roots_are_all_watched(tmp_path: Path) -> None:
    """However many there are."""
    roots = [tmp_path / str(number) for number in range(20)]
    for root in roots:
        root.mkdir()
    watch = DiskWatch(roots)
    watch.changed()
    made = [write(root, "a.py") for root in roots]
    assert watch.changed() == made


@pytest.mark.parametrize("is_older", [False, True])
def test_a_file_that_was_saved_is_no_open_text_any_more(
    client: Client, engine: ToldEngine, root: Path, is_older: bool
) -> None:
    """Whoever asks next, in whichever file: analysers read the disk. Also where an older file was put in its place."""
    path = write(root, "shapes.py")
    ask(client, "shapes.py", "class Typed: ...\n")
    assert "Typed" in (engine.unsaved[path.as_uri()] or "")
    ask(client, "shop.py")
    assert "Typed" in (engine.unsaved[path.as_uri()] or "")
    path.write_text("class Saved: ...\n", encoding="utf-8")
    if is_older:
        os.utime(path, (1_000_000, 1_000_000))
    ask(client, "shop.py")
    assert engine.unsaved[path.as_uri()] is None


def test_the_text_of_a_file_that_went_is_dropped(root: Path) -> None:
    """The text of one that was never saved stays."""
    path = write(root, "a.py")
    saved: list[Path] = []
    files = ProjectFiles([root], saved=lambda path, _: saved.append(path))
    files.hole(asked())
    files.hole(replace(asked(SHAPES), file="new.py", is_file_sure=True))
    path.unlink()
    files.refresh()
    assert saved == [path]


def test_changes_are_told_before_the_answer_is_written(client: Client, engine: ToldEngine, root: Path) -> None:
    """The request that comes first after a change profits from it already."""
    path = write(root, "shapes.py")
    client.service.warm()
    path.write_text("class New: ...\n", encoding="utf-8")
    engine.gate.clear()

    async def run() -> None:
        asking = asyncio.ensure_future(client.ask("POST", "/completion", b'{"prompt": "x = "}'))
        while not engine.is_held:
            await asyncio.sleep(0.002)
        assert engine.changed == [path]
        engine.gate.set()
        await asking

    asyncio.run(run())


@pytest.mark.parametrize(("name", "waits"), [("shop.py", True), ("shapes.py", False)])
def test_analysers_have_time_to_read_what_changed(
    client: Client, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, waits: bool
) -> None:
    """A request waits where another file changed; not after each time that its own is saved."""
    monkeypatch.setattr("guiderail.serve.service.SETTLE_S", 0.7)
    path = write(root, "shapes.py")
    client.service.warm()
    path.write_text("class New: ...\n", encoding="utf-8")
    waited: list[float] = []
    monkeypatch.setattr("guiderail.serve.service.time.sleep", waited.append)
    ask(client, name)
    assert (0.7 in waited) is waits
