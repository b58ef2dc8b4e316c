"""Laws of comparing a model's files with what they were when they were published."""

import hashlib
import math
import subprocess
from pathlib import Path

import pytest

from guiderail.model.checksums import SUMS, Comparison, compare, digests
from tests.helpers.hub import linked_to_blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files, one of which has a space in its name."""
    for name, size in (("a", 1), ("b c", 20), ("d", 300)):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(b"x" * size)
    return tmp_path / "model"


def write_sums(folder: Path) -> None:
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir()))
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def test_exactly_the_files_that_changed_or_went_are_broken(folder: Path) -> None:
    write_sums(folder)
    wanted = digests(folder)
    assert compare(folder, wanted, math.inf) == Comparison(("a", "b c", "d"), (), ())
    (folder / "b c").write_text("other", encoding="utf-8")
    (folder / "d").unlink()
    assert compare(folder, wanted, math.inf) == Comparison(("a",), ("d", "b c"), ())


@pytest.mark.parametrize("git_below", [0, 100, 1000])
def test_the_hub_s_cache_says_what_its_files_must_be(folder: Path, git_below: int) -> None:
    """By links to contents that are called by their SHA-256, or by git's digest; a link to nothing is broken."""
    snapshot = linked_to_blobs(folder, git_below=git_below)
    wanted = digests(snapshot)
    assert {len(digest) for digest in wanted.values()} <= {40, 64}
    assert compare(snapshot, wanted, math.inf).same == ("a", "b c", "d")
    (snapshot / "a").write_bytes(b"y")
    (snapshot / "d").resolve().unlink()
    assert set(compare(snapshot, wanted, math.inf).broken) == {"a", "d"}


def test_git_s_digest_is_git_s(folder: Path) -> None:
    snapshot = linked_to_blobs(folder, git_below=1000)
    by_git = subprocess.run(["git", "hash-object", snapshot / "d"], capture_output=True, text=True, check=True)
    assert digests(snapshot)["d"] == by_git.stdout.strip()


def test_no_more_is_read_than_allowed_and_the_rest_is_named(folder: Path) -> None:
    write_sums(folder)
    assert compare(folder, digests(folder), 21) == Comparison(("a", "b c"), (), ("d",))
    assert compare(folder, digests(folder), 0).unread == ("a", "b c", "d")


def test_other_folders_and_links_say_nothing(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "d")
    assert digests(folder) == {}
