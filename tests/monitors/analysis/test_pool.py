"""One server for a folder, and only one that may work there."""

from pathlib import Path

import pytest

from guiderail.monitors.analysis import pool as module
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.server import Server

RUNS = Server(name="runs", languages=("python",), command=("python3", "-c", ""), obtain="", executes=True)
READS = Server(name="reads", languages=("python",), command=("python3", "-c", ""), obtain="")


def pool(monkeypatch: pytest.MonkeyPatch, *servers: Server, trust: str) -> tuple[ServerPool, list[str]]:
    notices: list[str] = []
    monkeypatch.setattr(module, "candidates", lambda language, wanted, untrusted: iter(servers))
    monkeypatch.setattr(module.ServerAnalyser, "warm_up", lambda self: None)
    return ServerPool("auto", notices.append, trust), notices


def test_a_workspace_that_is_not_trusted_gets_who_runs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trusted, the best server is taken; otherwise the best that executes nothing of the project."""
    for trust, name in (("always", "runs"), ("never", "reads")):
        found = pool(monkeypatch, RUNS, READS, trust=trust)[0].get("python", tmp_path)
        assert found is not None
        assert found.name == name
        assert found.trusted == (trust == "always")


def test_who_may_not_start_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where only such servers are installed that run the project, nobody is asked, and a person hears why once."""
    one, notices = pool(monkeypatch, RUNS, trust="never")
    assert one.get("python", tmp_path) is None
    assert one.get("python", tmp_path) is None
    assert len(notices) == 1
    assert "guiderail analysers trust" in notices[0]


def test_analysers_of_folders_nobody_works_in_are_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of needed folders stay, and of the others the ones asked about last; a folder may come back."""
    one, _ = pool(monkeypatch, READS, trust="never")
    folders = [tmp_path / name for name in "abcde"]
    first = {folder: one.get("python", folder) for folder in folders}
    one.get("python", folders[1])
    gone = one.trim({folders[0]}, spare=2)
    assert gone == [first[folders[2]], first[folders[3]]]
    assert one.trim({folders[0]}, spare=2) == []
    assert all(one.get("python", folders[index]) is first[folders[index]] for index in (0, 1, 4))
    assert one.get("python", folders[2]) not in (None, first[folders[2]])


def test_a_person_is_told_that_the_python_of_the_settings_does_not_exist(tmp_path: Path) -> None:
    notices: list[str] = []
    for path in ("", str(tmp_path), str(tmp_path / "nowhere")):
        ServerPool("auto", notices.append, python=path)
    assert [notice.split(",")[0] for notice in notices] == [str(tmp_path / "nowhere")]
