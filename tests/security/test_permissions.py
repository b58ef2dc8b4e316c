"""What guiderail writes for itself is the person's alone, whatever the umask, and what was open before is closed."""

import asyncio
import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guiderail import private, programs
from guiderail.cache import policy
from guiderail.cli import main
from guiderail.decoding.methods import calibration
from guiderail.evaluation import packages
from guiderail.lsp import logfile
from guiderail.model import store
from guiderail.model.pull import pull
from guiderail.monitors.analysis import workspaces
from guiderail.settings import user_file
from tests.helpers.models import tiny_folder
from tests.lsp.test_process import Wire, environment

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files")

KINDS = ("config", "state", "cache", "data")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's folders, none of which is there, and the loosest umask."""
    for kind in KINDS:
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / kind))
    before = os.umask(0)
    yield tmp_path
    os.umask(before)


def open_to_others(home: Path) -> list[str]:
    """All below the person's folders, they included, that a group or the world may do something with."""
    found = [path for kind in KINDS for path in ((home / kind), *(home / kind).rglob("*"))]
    return [
        f"{stat.filemode(path.lstat().st_mode)} {path.relative_to(home)}"
        for path in found
        if path.exists() and not path.is_symlink() and path.lstat().st_mode & 0o077
    ]


def _log() -> None:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    path = logfile.start("debug")
    handler: Any = root.handlers[0]
    try:
        logging.getLogger("guiderail").error("first")
        handler.doRollover()
        logging.getLogger("guiderail").error("second")
    finally:
        handler.close()
        logging.basicConfig(handlers=before, force=True)
        logging.captureWarnings(False)
    assert path.exists()
    assert path.with_name("lsp.log.1").exists()


def _calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "fingerprint", lambda _: "sha256:1")
    calibration.write(SimpleNamespace(), {"threshold": 1.0})  # pyright: ignore[reportArgumentType]


def _costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_fingerprint", lambda _: "1")
    policy.remembered(SimpleNamespace(), "", policy.Costs, lambda _: policy.Costs(1.0, 1.0, 1.0, 1.0))  # pyright: ignore


WRITERS: dict[str, Callable[[pytest.MonkeyPatch], object]] = {
    "log": lambda _: _log(),
    "errors": lambda _: main._internal(RuntimeError("a person's text")),
    "config": lambda _: store.use("embedded", user_file()),
    "pins": lambda _: store.write_pins({"a/b": "1"}),
    "trust": lambda _: workspaces.trust(Path.cwd()),
    "calibration": _calibration,
    "costs": _costs,
    "working directory": lambda _: programs.working_directory(),
    "packages": lambda _: packages._fetch([], packages.cache_folder()),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("was_open", [False, True])
def test_what_is_written_is_the_persons_alone(
    name: str, was_open: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are 0600 and folders 0700, new ones and those that an earlier version left open."""
    if name == "packages":
        monkeypatch.setattr(packages, "pip_download", lambda pins, folder, form: None)
    if was_open:
        WRITERS[name](monkeypatch)
        for path in [path for kind in KINDS for path in (home / kind).rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        for path in (home / "cache").rglob("1.json"):
            path.unlink()  # else it is read, and not measured and written again
    WRITERS[name](monkeypatch)
    assert [path for kind in KINDS for path in (home / kind).rglob("*")]
    assert open_to_others(home) == []


def test_a_written_file_is_whole_or_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure leaves the old content, and nothing half-written beside it."""
    store.write_pins({"a/b": "1"})
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(store.StorageError):
        store.write_pins({"a/b": "2"})
    folder = home / "data" / "guiderail"
    assert [path.name for path in folder.iterdir()] == ["models.json"]
    assert json.loads((folder / "models.json").read_text()) == {"a/b": "1"}


def test_a_link_is_not_followed_to_be_closed(home: Path) -> None:
    """A link in a folder of ours does not close what it leads to."""
    store.write_pins({})
    other = home / "other"
    other.write_text("")
    other.chmod(0o644)
    (home / "data" / "guiderail" / "link").symlink_to(other)
    store.write_pins({})
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


def test_a_folder_that_a_person_names_stays_as_it_is(home: Path) -> None:
    """Where a person keeps something else, nothing is closed."""
    named = home / "shared"
    named.mkdir(mode=0o755)
    (named / "file").write_text("")
    private.write_text(named / "ours", "x")
    private.folder(named / "more")
    assert stat.S_IMODE(named.stat().st_mode) == 0o755
    assert stat.S_IMODE((named / "file").stat().st_mode) == 0o666
    assert stat.S_IMODE((named / "ours").stat().st_mode) == 0o600


def test_what_a_pull_fetches_is_the_persons_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub's client writes during a pull too."""

    def fetch(*_: Any) -> Path:
        folder = home / "cache" / "huggingface" / "hub" / "models--a--b"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x")
        return folder

    monkeypatch.setattr("guiderail.model.pull._wanted_files", lambda *_: ("1", {}, None))
    monkeypatch.setattr("guiderail.model.pull._fetch", fetch)
    monkeypatch.setattr("guiderail.model.pull.read_place", lambda *_: None)
    pull("a/b")
    assert (home / "cache" / "huggingface").exists()
    assert open_to_others(home) == []


@pytest.mark.e2e
@pytest.mark.asyncio
async def test_a_session_leaves_nothing_open(home: Path) -> None:
    """A real server that loads a model, completes and logs leaves nothing that others may read, nor what was there."""
    for kind in KINDS:
        (home / kind).mkdir(0o700)
        (home / kind / "guiderail").mkdir()
    env = environment(home, tiny_folder("guiderail"), log_level="info", cache_policy="auto", monitors="true")
    command = [sys.executable, "-m", "guiderail", "lsp"]
    process = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=home, stdin=-1, stdout=-1, stderr=-2, limit=1 << 22, umask=0
    )
    try:
        wire = Wire(process.stdout, process.stdin)  # pyright: ignore[reportArgumentType]
        await wire.hello()
        uri = wire.open(uri=(home / "a.py").as_uri())
        assert "result" in await wire.reply(wire.begin_ghost(uri), 240)
        await wire.ask("shutdown")
        wire.send(method="exit")
        await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert list(home.rglob("lsp.log"))
    assert open_to_others(home) == []
