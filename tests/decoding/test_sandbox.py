"""What a program in the sandbox cannot do."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

import pytest

from guiderail.decoding.sandbox import Outcome, run


def python(code: str, folder: Path, seconds: float = 20, megabytes: int = 1024) -> Outcome:
    found = run([sys.executable, "-c", code], folder, seconds=seconds, megabytes=megabytes)
    if found.refused:
        pytest.skip(f"this machine has no sandbox: {found.refused}")
    return found


def test_a_program_runs_and_says_what_it_says(tmp_path: Path) -> None:
    found = python("import sys; open('mine', 'w').write('1'); print('hello'); sys.exit(3)", tmp_path)
    assert (found.code, found.output.strip()) == (3, "hello")
    assert (tmp_path / "mine").read_text() == "1"


def test_there_is_no_network(tmp_path: Path) -> None:
    """Not even this machine's own: the program sees no interface that is up."""
    code = "import socket; s = socket.socket(); s.settimeout(5); print(s.connect_ex(('127.0.0.1', 9)))"
    found = python(code, tmp_path)
    assert found.output.strip() == str(101)  # ENETUNREACH; with a network it would be refused by the port


def test_nothing_else_can_be_written(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    found = python(f"open({str(outside / 'x')!r}, 'w')", inside)
    assert found.code == 1
    assert "Read-only file system" in found.output
    assert not list(outside.iterdir())


def living_in(folder: Path) -> list[str]:
    """The processes whose working directory is the folder."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and (process / "cwd").readlink() == folder:
                found.append(process.name)
    return found


def test_time_is_bounded_for_all_that_it_starts(tmp_path: Path) -> None:
    """Also a child that left the session dies with it."""
    code = "import os, time; os.fork() or os.setsid(); open(f'started{os.getpid()}', 'w'); time.sleep(60)"
    found = python(code, tmp_path, seconds=5)
    assert found.code is None
    assert len(list(tmp_path.glob("started*"))) == 2
    until = time.monotonic() + 10  # the kernel kills them, when it comes to it
    while living_in(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert living_in(tmp_path) == []


def test_memory_is_bounded(tmp_path: Path) -> None:
    found = python("x = bytearray(600 << 20)", tmp_path, megabytes=300)
    assert found.code == 1
    assert "MemoryError" in found.output
