"""A service with an engine whose answers are known, and no settings of the person who runs the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.lsp.worker import Worker
from guiderail.serve.local_model import LocalModel
from guiderail.serve.service import CompletionService
from guiderail.settings import Settings
from tests.serve.client import Client
from tests.serve.engine import ToldEngine
from tests.serve.waiting import until


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("GUIDERAIL_MODEL", raising=False)
    monkeypatch.delenv("GUIDERAIL_API_KEY", raising=False)


@pytest.fixture
def engine() -> ToldEngine:
    return ToldEngine()


@pytest.fixture
def worker(engine: ToldEngine) -> Iterator[Worker]:
    """A thread with its model loaded."""
    made = Worker(engine)
    made.start()
    made.load(Settings())
    until(lambda: made.health.state == "ready")
    yield made
    engine.gate.set()
    assert made.stop(5)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    folder = (tmp_path / "project").resolve()
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def service(worker: Worker, root: Path) -> CompletionService:
    return CompletionService(LocalModel(worker), {None: Settings(), root: Settings()})


@pytest.fixture
def client(service: CompletionService) -> Client:
    """A client of a server on this machine that asks for no key."""
    return Client(service)
