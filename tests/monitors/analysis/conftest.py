"""Real language servers for the tests: fetched once by the product's own command, started once a session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
import pytest

from guiderail.monitors.analysis import install
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.analysis.servers import server_named

# What is fetched stays from one run to the next.
FOLDER = platformdirs.user_cache_path("guiderail") / "tests"


@pytest.fixture(scope="session")
def private_home() -> Iterator[Path]:
    """The folder that analysers are installed into, in the tests' own data folder."""
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(FOLDER)
    yield FOLDER
    if before is None:
        del os.environ["XDG_DATA_HOME"]
    else:
        os.environ["XDG_DATA_HOME"] = before


@pytest.fixture(scope="session")
def installed(private_home: Path) -> Callable[[str], Server]:
    """Give a server by name, fetched if need be; the test is skipped, with the reason, where it is not to be had."""

    def get(name: str) -> Server:
        server = server_named(name)
        if server.find() is None and server.source and server.source.registry in ("pip", "npm"):
            if server.source.registry == "npm" and shutil.which("npm") is None:
                pytest.skip(f"{name} is not installed: npm is not here")
            try:
                install.install(server)
            except install.InstallError as error:
                pytest.skip(f"{name} is not installed: {error}")
        if server.find() is None:
            pytest.skip(f"{name} is not installed: {server.obtain}")
        return server

    return get


@pytest.fixture(scope="session")
def shared(
    installed: Callable[[str], Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], ServerAnalyser]]:
    """Give a running analyser by name, one for all tests of the session, on an empty project of its own."""
    running: dict[str, ServerAnalyser] = {}

    def get(name: str) -> ServerAnalyser:
        server = installed(name)
        if name not in running:
            root = tmp_path_factory.mktemp(name)
            (root / "go.mod").write_text("module sample\n\ngo 1.18\n")
            running[name] = ServerAnalyser(server, root)
        return running[name]

    yield get
    for analyser in running.values():
        analyser.stop()
