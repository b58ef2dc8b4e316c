"""Locks of guiderail's own files that another process holds: nothing waits for them without bound."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guiderail import private
from guiderail.lsp.feedback import Feedback, Lesson
from guiderail.lsp.usage import Counts, UsageFile
from tests.lsp.client import connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files cannot be locked there")
LESSON = Lesson("m", 0.5, right=True)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """As a process that was stopped while it had the lock."""
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def ended(thread: threading.Thread) -> bool:
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def thread_of(call: object) -> threading.Thread:
    return threading.Thread(target=call, daemon=True)  # pyright: ignore[reportArgumentType]


def test_what_cannot_be_saved_now_is_kept_for_the_next_time(tmp_path: Path) -> None:
    counts, learned = UsageFile(tmp_path / "usage.json"), Feedback(tmp_path / "confidence.json")
    counts.count("python", "m", shown=1)
    learned.learn(LESSON)
    with held(counts._lock), held(learned._lock):
        assert ended(thread_of(counts.save))
        assert ended(thread_of(learned.save))
        assert not counts.path.exists()
        assert not learned.path.exists()
    for one in (counts, learned):
        one.save()
    assert UsageFile(counts.path).read().rows == {("python", "m"): Counts(shown=1)}
    assert Feedback(learned.path).shifts()["m"].outcomes == 1


def test_forgetting_says_that_the_file_is_locked(tmp_path: Path) -> None:
    for one in (UsageFile(tmp_path / "usage.json"), Feedback(tmp_path / "confidence.json")):
        failures = []

        def reset(file: UsageFile | Feedback = one, into: list[str | None] = failures) -> None:
            try:
                file.reset()
            except OSError as error:
                into.append(error.strerror)

        with held(one._lock):
            assert ended(thread_of(reset))
        assert failures == ["another process keeps it locked"]


def test_a_pipe_in_place_of_a_lock_is_no_wait(tmp_path: Path) -> None:
    file = UsageFile(tmp_path / "usage.json")
    file.count("python", "m", shown=1)
    os.mkfifo(file._lock)
    assert ended(thread_of(file.save))


def test_a_thread_waits_for_another_one(tmp_path: Path) -> None:
    """The lock is between threads too: counts are saved on one, and forgotten on another."""
    with private.alone(tmp_path / "lock", 1), pytest.raises(TimeoutError), private.alone(tmp_path / "lock", 0):
        pass
    with private.alone(tmp_path / "lock", 0):
        pass


def test_what_is_counted_while_counts_are_saved_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, learned = UsageFile(tmp_path / "usage.json"), Feedback(tmp_path / "confidence.json")
    write = private.write_text

    def type_on(path: Path, text: str) -> None:
        write(path, text)
        counts.count("python", "m", shown=1, accepted=-1)  # what was accepted in part before was accepted whole
        learned.learn(LESSON)

    for _ in range(2):
        counts.count("python", "m", shown=2, accepted=1)
        learned.learn(LESSON)
        with monkeypatch.context() as patch:
            patch.setattr(private, "write_text", type_on)
            counts.save()
            learned.save()
    for one in (counts, learned):
        one.save()
    assert UsageFile(counts.path).read().rows == counts.read().rows == {("python", "m"): Counts(shown=8)}
    assert Feedback(learned.path).shifts()["m"].outcomes == learned.shifts()["m"].outcomes == 6


@pytest.mark.asyncio
async def test_the_event_loop_does_not_save(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from time to time nor when a client leaves: the disk, and who holds a lock, may be slow."""
    threads: list[threading.Thread] = []
    for kind in (UsageFile, Feedback):
        monkeypatch.setattr(kind, "save", lambda self: threads.append(threading.current_thread()))
    async with connected(FakeEngine()) as client:
        client.server._save_counts()
    assert len(threads) == 4
    assert threading.current_thread() not in threads
