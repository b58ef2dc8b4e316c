"""The file of rows, and the runs that go on."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from guiderail.errors import UsageError
from guiderail.evaluation import measurement, packages, study
from guiderail.evaluation.row_file import RowFile, read_lines
from guiderail.evaluation.run_folder import locked
from guiderail.evaluation.study import UNFINISHED, once, rows_kept

RUN = {"seed": 1}


def unit(task: str, count: int = 1) -> list[dict[str, Any]]:
    return [{"task": task, "system": "m", "samples": count, "word": "ä\n", "sample": n} for n in range(count)]


def test_a_broken_run_goes_on(tmp_path: Path) -> None:
    """What was added is there again, a unit that was torn is not, and the file can be added to."""
    file = tmp_path / "rows.jsonl"
    with closing(RowFile(file, RUN)) as log:
        log.add(unit("a"))
        log.add(unit("b", 3))
    torn = file.read_bytes()[:-9]
    file.write_bytes(torn)
    with closing(RowFile(file, RUN)) as log:
        assert log.done == {("a", "m"): unit("a")}
        log.add(unit("b", 3))
    assert file.read_bytes() != torn
    with closing(RowFile(file, RUN)) as log:
        assert log.done == {("a", "m"): unit("a"), ("b", "m"): unit("b", 3)}


@pytest.mark.parametrize("first", ['{"seed": 2}\n', "{", "\xff\n", '{"seed": 1}'])
def test_two_runs_are_not_mixed(tmp_path: Path, first: str) -> None:
    """A file of another run, or of none, is refused and stays as it is."""
    file = tmp_path / "rows.jsonl"
    file.write_text(first, encoding="latin-1")
    with pytest.raises(UsageError, match="another run"):
        RowFile(file, RUN)
    assert file.read_text(encoding="latin-1") == first


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs two units, the second of which may fail; says which were made."""
    monkeypatch.setattr(packages, "cache_folder", lambda: tmp_path / "datasets")

    def run(name: str = "study", file: Path | None = None, *, fails: bool = False, **more: Any) -> list[str]:
        made: list[str] = []

        def answer(task: str) -> list[dict[str, Any]]:
            if fails and task == "b":
                raise KeyboardInterrupt
            made.append(task)
            return [{"word": task}]

        try:
            with rows_kept(name, RUN | more, file) as log:
                found = [row for task in "ab" for row in once(log, (task, "m"), lambda task=task: answer(task))]
                assert [row["word"] for row in found] == ["a", "b"]
        except KeyboardInterrupt:
            made.append("ended")
        return made

    return run


def test_a_run_that_was_ended_goes_on_and_leaves_nothing(make: Callable[..., list[str]], tmp_path: Path) -> None:
    """Without a file of its own too; a run that has come to its end is made anew the next time."""
    assert make(fails=True) == ["a", "ended"]
    assert make() == ["b"]
    assert list((tmp_path / "unfinished").iterdir()) == []
    assert make() == ["a", "b"]


def test_a_named_file_stays(make: Callable[..., list[str]], tmp_path: Path) -> None:
    """And its rows are not made again."""
    file = tmp_path / "mine.jsonl"
    assert make(file=file) == ["a", "b"]
    assert make(file=file) == []


def test_a_named_file_is_written_by_one_process(make: Callable[..., list[str]], tmp_path: Path) -> None:
    """A second one is refused while the first one works; nothing is left beside the file."""
    file = tmp_path / "mine.jsonl"
    with rows_kept("study", RUN, file), pytest.raises(UsageError, match=r"another process writes to .*mine\.jsonl"):
        make(file=file)
    assert make(file=file) == ["a", "b"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_header_is_written_whole_or_not_at_all(
    make: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed while it wrote the header can be started again; a link stays one."""
    file, real = tmp_path / "mine.jsonl", tmp_path / "real.jsonl"
    file.symlink_to(real)

    def killed(path: Path, data: str | bytes, **how: Any) -> int:
        with path.open("wb") as stream:
            stream.write((data if isinstance(data, bytes) else data.encode())[:9])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", killed)
        patch.setattr(Path, "write_bytes", killed)
        assert make(file=file) == ["ended"]
    assert make(file=file) == ["a", "b"]
    assert file.is_symlink() and read_lines(real)[1:] == read_lines(file)[1:] != []


def test_a_file_that_cannot_be_written_is_one_clear_error(
    make: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether at the beginning, with rows in it, or in the midst; so is a cache folder."""
    file = tmp_path / "mine.jsonl"
    for wrong in (tmp_path, tmp_path / "missing" / "mine.jsonl"):
        with pytest.raises(UsageError, match="cannot use"):
            make(file=wrong)
    with rows_kept("study", RUN, file) as log:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, limits[1]))
        try:
            with pytest.raises(UsageError, match="cannot use"):
                log.add(unit("a"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    opened = Path.open

    def refused(path: Path, mode: str = "r", *more: Any, **how: Any) -> Any:
        if mode == "ab":
            raise PermissionError(13, "Permission denied")
        return opened(path, mode, *more, **how)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(UsageError, match=r"cannot use .*mine\.jsonl: Permission denied"):
        make(file=file)
    monkeypatch.setattr(packages, "cache_folder", lambda: file / "datasets")
    with pytest.raises(UsageError, match="cannot use"):
        make()


def test_what_decides_the_rows_tells_runs_apart(make: Callable[..., list[str]]) -> None:
    """Another study, or another value of what decides, begins anew."""
    assert make(fails=True) == ["a", "ended"]
    assert make("other") == ["a", "b"]
    assert make(weights="else") == ["a", "b"]
    assert make() == ["b"]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("what", "place", "key"),
    [
        (measurement, "commit", "commit"),
        (measurement, "versions", "versions"),
        (packages, "sha256_of", "manifest_sha256"),
        (study, "hardware", "hardware"),
        (study, "BUILDERS", "builders"),
    ],
)
def test_other_code_and_another_machine_begin_anew(
    make: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
    what: Any,
    place: str,
    key: str,
) -> None:
    """A named file says what differs, and stays as it is; without one the rows are made again."""
    file = tmp_path / "mine.jsonl" if named else None
    assert make(file=file, fails=True) == ["a", "ended"]
    with monkeypatch.context() as patch:
        patch.setattr(what, place, {"tasks": 99} if place.isupper() else lambda *of: "else")
        if named:
            with pytest.raises(UsageError, match=rf"another run, with other {key}\."):
                make(file=file)
        else:
            assert make() == ["a", "b"]
    assert make(file=file) == ["b"]


def test_what_analyses_and_scores_is_among_the_versions() -> None:
    """Another release of an analyser or of the distance between texts gives other rows."""
    found = study.provenance()["versions"]
    assert {"pyrefly", "ty", "basedpyright", "rapidfuzz", "pygments", "tree-sitter", "torch"} <= found.keys()


def test_few_unfinished_runs_are_kept(make: Callable[..., list[str]], tmp_path: Path) -> None:
    """The oldest go first."""
    for number in range(UNFINISHED + 3):
        make(fails=True, number=number)
        for folder in (tmp_path / "unfinished").iterdir():
            older = folder.stat().st_mtime - 100
            os.utime(folder, (older, older))
    assert len(list((tmp_path / "unfinished").iterdir())) == UNFINISHED
    assert make(number=0) == ["a", "b"]
    assert make(number=UNFINISHED + 2) == ["b"]


def test_a_run_that_goes_on_keeps_its_folder(make: Callable[..., list[str]], tmp_path: Path) -> None:
    """However old it is, and however many began after it; and no second process writes into it."""
    with rows_kept("long", RUN) as log:
        os.utime(log.file.parent, (1, 1))
        for number in range(UNFINISHED + 1):
            make(fails=True, number=number)
        log.add(unit("a"))
        assert read_lines(log.file)[1:] == unit("a")
        with pytest.raises(UsageError, match="another process"):
            make("long")
        assert read_lines(log.file)[1:] == unit("a")
    assert not log.file.parent.exists()


def test_a_lock_that_is_deleted_meanwhile_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited for a file that is no longer there would be alone with it; it is made anew."""
    lock, flock, deleted = tmp_path / "lock", fcntl.flock, list[int]()

    def late(stream: IO[str], how: int) -> None:
        if not deleted:
            deleted.append(stream.fileno())
            lock.unlink()
        flock(stream, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(lock, tmp_path), pytest.raises(UsageError, match="another process"):
        locked(lock, tmp_path)
    assert deleted
