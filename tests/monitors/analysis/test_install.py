"""Servers are fetched into folders of their own, wholly or not at all."""

from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.monitors.analysis import install
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import MEMBERS, Question
from guiderail.monitors.analysis.server import Server, Source
from guiderail.monitors.analysis.servers import CLANGD, TSC, TYPESCRIPT, through_multilspy

PIP = Server(
    name="sample", languages=("python",), command=("sample",), obtain="pip install x", source=Source("pip", ("x",))
)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty data folder, and package managers that reach nothing."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_what_is_asked_for() -> None:
    """A language means its first server that can be fetched, a name that one; what cannot be fetched is refused."""
    assert install.installable("typescript") is TSC
    assert install.installable("c++") is CLANGD
    assert install.installable("typescript-language-server") is TYPESCRIPT
    with pytest.raises(UsageError, match="JDK"):
        install.installable("java")
    with pytest.raises(UsageError, match="no analyser of lua"):
        install.installable("lua")


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without npm the message says so, and what brings it; nothing is left behind."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(install.InstallError, match=r"npm, which is not here. Install Node\.js"):
        install.install(TSC)
    assert not TSC.home.exists()


def test_a_failure_leaves_what_was_there() -> None:
    """Without a network the reason is told, and an earlier installation stays."""
    old = PIP.home / "venv" / "bin" / "sample"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\n")
    old.chmod(0o755)
    with pytest.raises(install.InstallError, match="sample cannot be fetched"):
        install.install(PIP)
    assert PIP.find() == old
    assert install.uninstall(PIP)
    assert PIP.find() is None
    assert not install.uninstall(PIP)


@pytest.mark.e2e
@pytest.mark.slow
def test_a_server_through_multilspy(
    private_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In an environment of its own multilspy starts a language's server, which is one like any other."""
    for name in ("PIP_NO_INDEX", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(private_home))
    server = through_multilspy("python")
    try:
        if server.find() is None:
            install.install(server)
    except install.InstallError as error:
        pytest.skip(f"multilspy is not installed: {error}")
    analyser = ServerAnalyser(server, tmp_path)
    request.addfinalizer(analyser.stop)
    text = "class Point:\n    left = 1\n\n\nPoint()."
    answer = analyser.ask(MEMBERS, Question(tmp_path / "a.py", "python", text, len(text))).result(60)
    assert "left" in {member.name for member in answer.items}
