"""Laws of finding a project's root and listing its readable files."""

import os
import shutil
from pathlib import Path

import pytest

from guiderail.prompt.project import SIZE_LIMIT, Project, find_root, ignored, read_text
from tests.prompt.projects import write


def never() -> bool:
    return False


def listed(root: Path, near: str = "main.py", language: str = "python") -> list[str]:
    return [entry.path for entry in Project(root).files(near, language, never)]


def test_the_nearest_git_root_comes_before_nearer_manifests(tmp_path: Path) -> None:
    write(tmp_path, {"repo/.git/HEAD": "", "repo/pkg/pyproject.toml": "", "repo/pkg/src/a.py": ""})
    assert find_root(tmp_path / "repo/pkg/src/a.py") == tmp_path / "repo"
    assert find_root(tmp_path / "repo") == tmp_path / "repo"


@pytest.mark.parametrize("manifest", ["pyproject.toml", "package.json", "go.mod", "Cargo.toml"])
def test_without_git_the_nearest_manifest_is_the_root(tmp_path: Path, manifest: str) -> None:
    write(tmp_path, {manifest: "", f"inner/{manifest}": "", "inner/src/deep/a.py": ""})
    assert find_root(tmp_path / "inner/src/deep/a.py") == tmp_path / "inner"
    assert find_root(tmp_path / "inner/src/missing.py") == tmp_path / "inner"


def test_a_git_file_of_a_worktree_marks_a_root(tmp_path: Path) -> None:
    write(tmp_path, {"tree/.git": "gitdir: elsewhere", "tree/a.py": ""})
    assert find_root(tmp_path / "tree/a.py") == tmp_path / "tree"


def test_near_folders_come_first_then_later_changes_then_the_path(tmp_path: Path) -> None:
    names = ["a/b/old.py", "a/b/new.py", "a/b/c/down.py", "a/up.py", "top.py", "x/far.py", "a/b/also_old.py"]
    write(tmp_path, dict.fromkeys(names, "x = 1\n"))
    for name in names:
        stamp = 2_000 if name.endswith("new.py") else 1_000
        os.utime(tmp_path / name, (stamp, stamp))
    assert listed(tmp_path, "a/b/main.py") == [
        "a/b/new.py", "a/b/also_old.py", "a/b/old.py", "a/b/c/down.py", "a/up.py", "top.py", "x/far.py",
    ]  # fmt: skip


def test_only_code_and_the_documents_own_kind_are_listed(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x", "b.go": "x", "c.json": "{}", "d.yaml": "x", "e.bin": "x", "empty.py": ""})
    assert sorted(listed(tmp_path)) == ["a.py", "b.go"]
    assert sorted(listed(tmp_path, "x.yaml", "yaml")) == ["a.py", "b.go", "d.yaml"]


def test_links_are_not_listed(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"b.py": "x"})
    root = write(tmp_path / "root", {"lib/a.py": "x"})
    (root / "inside.py").symlink_to(root / "lib/a.py")
    (root / "outside.py").symlink_to(tmp_path / "outside/b.py")
    (root / "folder").symlink_to(tmp_path / "outside")
    assert listed(root) == ["lib/a.py"]


def test_an_unreadable_start_begins_at_its_nearest_readable_folder(tmp_path: Path) -> None:
    write(tmp_path, {"build/gen.py": "x", "a.py": "x"})
    assert listed(tmp_path, "build/main.py") == ["a.py"]


def test_a_listing_ends_when_time_is_over(tmp_path: Path) -> None:
    write(tmp_path, {f"d{number}/a.py": "x" for number in range(20)})
    calls = iter(range(1000))
    entries = list(Project(tmp_path).files("main.py", "python", lambda: next(calls) > 3))
    assert len(entries) < 20


def test_a_second_listing_scans_and_filters_nothing_again(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.log\n", "a/b.py": "x", "a/c/d.py": "x"})
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a/c", tmp_path / ".gitignore"):
        os.utime(folder, (1_000, 1_000))
    project = Project(tmp_path)
    first = [entry.path for entry in project.files("main.py", "python", never)]
    scans = project.scans
    project.refresh()
    assert [entry.path for entry in project.files("main.py", "python", never)] == first
    assert project.scans == scans == 3


def test_a_listing_sees_new_files_gone_files_and_new_rules(tmp_path: Path) -> None:
    project = Project(write(tmp_path, {"a.py": "x", "b.py": "x"}))

    def names() -> list[str]:
        project.refresh()
        return sorted(entry.path for entry in project.files("main.py", "python", never))

    assert names() == ["a.py", "b.py"]
    write(tmp_path, {"c.py": "x"})
    (tmp_path / "a.py").unlink()
    assert names() == ["b.py", "c.py"]
    write(tmp_path, {".gitignore": "c.py\n"})
    assert names() == ["b.py"]


def test_folders_are_known_by_what_was_seen_of_them_until_they_are_forgotten(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"a/b/c.py": "x", "made": "x", "build/d.py": "x"})
    project = Project(root)

    def known(*names: str) -> list[str]:
        return [name for name in names if project.knows(f"{root.as_posix()}/{name}")]

    assert known("a", "made", "a.file") == ["a", "made"]  # for all that is known
    assert project.names("") == ("made",)
    assert known("a", "a/b", "made", "build", "new") == ["a"]
    list(project.files("main.py", "python", never))
    assert known("a", "a/b", "a/b/c.py", "made", "build") == ["a", "a/b"]
    assert project.knows(tmp_path.as_posix())
    assert not project.knows((tmp_path / "a").as_posix())
    shutil.rmtree(root / "a")
    project.forget(f"{root.as_posix()}/a")
    list(project.files("main.py", "python", never))
    assert known("a", "a/b") == []
    assert set(project._visible) == {""}
    project.forget(tmp_path.as_posix())
    assert not project._visible


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x = '\xff'", "not UTF-8"),
        (b"a\0b", "binary"),
        (b"var a=1;" * 500, "one endless line"),
        (("y" * 900 + "\n").encode() * 3, "long lines throughout"),
        (b"x = 1\n" * (SIZE_LIMIT // 6 + 1), "too large"),
    ],
)
def test_what_is_no_hand_written_text_is_not_read(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "file.js"
    path.write_bytes(data)
    assert read_text(path) is None, reason


def test_context_text_has_line_feeds_and_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(path) == "a\nb\nc\n"
    assert read_text(tmp_path / "missing.py") is None


def test_ignored_gives_a_matcher_of_the_root(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "hidden.py\n", "hidden.py": "", "seen.py": ""})
    matcher = ignored(tmp_path)
    assert matcher(tmp_path / "hidden.py")
    assert not matcher(tmp_path / "seen.py")


def test_relative_paths_are_those_under_the_root_only(tmp_path: Path) -> None:
    project = Project(tmp_path / "root")
    assert project.relative(tmp_path / "root/a/../b.py") == "b.py"
    assert project.relative(tmp_path / "other.py") is None
    assert project.relative(None) is None
