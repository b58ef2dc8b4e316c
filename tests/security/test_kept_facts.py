"""What is kept of a project's sources has a bound, however many files of however many names it holds."""

from pathlib import Path

import pytest

from guiderail.monitors.runtime import sources

LINES = "".join(f"x{n}.a{n} = 1\n" for n in range(300))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty files of many names, all but one links: they take no room in a repository."""
    (tmp_path / "a.py").write_text(LINES)
    for n in range(40):
        (tmp_path / f"b{n}.py").symlink_to("a.py")
    monkeypatch.setattr(sources, "_known", {})
    sources._read_files.clear()
    return tmp_path


def kept() -> int:
    return sum(one.size for one in sources._read_files)


def test_the_names_of_all_files_that_are_kept_are_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand files were kept, each of which could take twenty megabytes."""
    monkeypatch.setattr(sources._read_files, "_most", 10_000)
    sources._read_project(project)
    assert 0 < kept() <= 10_000


def test_the_names_that_a_project_sets_are_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SET_NAMES", 1000)
    for n in range(40):
        (project / f"c{n}.py").write_text("".join(f"y{n}x{m}.b{n}x{m} = 1\n" for m in range(300)))
    sources._read_project(project)
    assert 1000 < sum(map(len, sources._known[project].values())) <= 1600


def test_what_weighs_a_file_are_its_names(project: Path) -> None:
    """Whatever they are names of."""
    for text in (LINES, "class A:\n" + "".join(f"    a{n} = 1\n" for n in range(300)), LINES.replace(".", "_")):
        (project / "d.py").write_text(text)
        sources._read_files.clear()
        found = sources._facts(project / "d.py", project, 0, len(text))
        assert found is not None
        assert 300 < found.size < 3000
        assert kept() == found.size
