"""Commands that are given inside a repository run none of its programs, whatever the search path says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.cli import doctor
from guiderail.cli.main import run
from guiderail.monitors.analysis import server, workspaces
from guiderail.monitors.analysis.servers import server_named

NAMES = ("rust-analyzer", "tsc", "node", "gopls", "go", "clangd", "jdtls", "javac", "java", "npm", "git")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with decoys, which leave a trace when they run, and a search path that leads to them."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home"))
    (tmp_path / "ran").mkdir()
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    (folder / "inner" / "folder").mkdir(parents=True)
    (folder / "bin").mkdir()
    for name in NAMES:
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n/usr/bin/env touch '{tmp_path / 'ran' / name}'\nexit 0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]))
    monkeypatch.setattr(doctor, "_model_checks", lambda *_: iter(()))
    server._works.cache_clear()
    yield folder
    server._works.cache_clear()


@pytest.mark.parametrize("here", [".", "inner/folder"])
@pytest.mark.parametrize("words", ["analysers ls", "analysers check rust-analyzer", "analysers check clangd", "doctor"])
def test_no_program_of_the_repository_runs(root: Path, here: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search path that leads into a repository is often left over from working in it."""
    monkeypatch.chdir(root / here)
    run(words.split())
    assert sorted(path.name for path in (root.parent / "ran").iterdir()) == []


def test_those_of_a_trusted_one_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would not fail otherwise."""
    workspaces.trust(root)
    monkeypatch.chdir(root)
    run(["analysers", "ls"])
    assert (root.parent / "ran" / "rust-analyzer").exists()


@pytest.mark.parametrize("name", ["tsc", "rust-analyzer"])
def test_looking_for_an_analyser_starts_no_program_of_the_repository(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person's own program is tried, and looks for others: a script for its interpreter, a shim for another."""
    tools = root.parent / "tools"
    tools.mkdir()
    (tools / name).write_text("#!/usr/bin/env node\n" if name == "tsc" else f"#!/bin/sh\nexec git {name}\n")
    (tools / "node").write_text("#!/bin/sh\nexit 0\n")
    for program in tools.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(root / "bin"), str(tools), os.environ["PATH"]]))
    found = server_named(name).find(root)
    assert found in {None, tools / name}
    assert sorted(path.name for path in (root.parent / "ran").iterdir()) == []
