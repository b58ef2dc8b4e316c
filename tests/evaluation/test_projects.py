"""Packages laid out as projects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.evaluation import packages, projects
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.projects import ProjectError, prepare
from tests.evaluation.test_archives import SOURCE, tarball
from tests.monitors.python.layouts import write


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, in a folder of its own."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    monkeypatch.setattr(packages, "cache_folder", lambda: folder)
    return folder


def test_a_librarys_sources_are_laid_out_once(cache: Path) -> None:
    """Everything of the tarball, and the files as they are asked about: without their licence."""
    package = replace(tarball(cache, {"src/a.ts": SOURCE, "pom.xml": "<project/>"}), registry="debian")
    root = prepare(package, [SourceFile("thing", "src/a.ts", "asked about")])
    assert (root / "pom.xml").read_text() == "<project/>" and (root / "src" / "a.ts").read_text() == "asked about"
    (root / "pom.xml").write_text("kept")
    assert prepare(package, []) == root and (root / "pom.xml").read_text() == "kept"


@pytest.mark.parametrize(
    ("files", "needed"),
    [
        ({"PKG-INFO": "Requires-Dist: b>=1\nRequires-Dist: c; extra == 'dev'\n\nRequires-Dist: text\n"}, ["b>=1"]),
        ({"PKG-INFO": "Requires-Dist: b; python_version<'3'\r\n"}, ["b; python_version<'3'"]),
        ({"PKG-INFO": "Name: a\n", "src/a.egg-info/requires.txt": "b>=1\nc\n\n[dev]\nd\n"}, ["b>=1", "c"]),
        ({"PKG-INFO": "Name: a\n"}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_what_a_source_distribution_needs(tmp_path: Path, files: dict[str, str], needed: list[str]) -> None:
    """By its metadata, without its extras; those of older builds are in a file of their own."""
    write(tmp_path, files)
    assert projects.requirements(tmp_path) == needed


def test_a_missing_client_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the project is not taken for ready the next time."""
    package = tarball(cache, {"src/a.ts": SOURCE, "package.json": "{}"})
    monkeypatch.setattr(projects.programs, "find", lambda name: None)
    for _ in range(2):
        with pytest.raises(ProjectError, match="npm is not installed"):
            prepare(package, [])
