"""A signal ends the server within two seconds, whatever it does; nothing that it started is left."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.lsp import watchdog
from tests.helpers.models import tiny_folder
from tests.lsp.test_process import Wire, environment

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio]

# Seconds; twice what is promised, for a busy machine: a server that does not heed a signal stays for ever.
PATIENCE = 4.0

# Each makes one part of the server do something that does not end, and says so in the file `busy`.
PRELUDE = """
import os, re, sys, time
from pathlib import Path
from guiderail.__main__ import main
from guiderail.lsp.engine import Engine
from guiderail.lsp.handlers.commands import CommandHandlers

def busy():
    Path("busy").write_text("")

def slow_pattern():
    busy()
    re.match("(a|aa)+$", "a" * 90 + "b")  # in C, with the interpreter's lock, for ever

def python_loop():
    busy()
    while True:
        pass

def fifo():
    os.mkfifo("pipe")
    busy()
    open("pipe").read()

def sleep():
    busy()
    time.sleep(1000)

def flood():
    busy()
    while True:
        sys.stderr.write("x" * 1000)

sys.argv = ["guiderail", "lsp"]
"""
IN_LOOP = "CommandHandlers.get_status = lambda self, *_: {work}()\nmain()\n"
IN_WORKER = "Engine.load = lambda self, *_: {work}()\nmain()\n"
STUCK = [
    *((IN_LOOP, work) for work in ("slow_pattern", "python_loop", "fifo", "sleep", "flood")),
    *((IN_WORKER, work) for work in ("slow_pattern", "python_loop", "fifo", "sleep")),
]


@pytest.fixture(autouse=True)
def _hangup_counts() -> Iterator[None]:
    """Under nohup SIGHUP is ignored, which what is started inherits."""
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def _gone(number: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while _is_alive(number) and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return not _is_alive(number)


def _helpers(parent: int) -> list[int]:
    """Processes started by one, by number."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize(("place", "work"), STUCK, ids=[f"{'loop' if p is IN_LOOP else 'model'}-{w}" for p, w in STUCK])
async def test_a_signal_ends_a_server_that_is_stuck(place: str, work: str, tmp_path: Path) -> None:
    """In the event loop or the model's thread, in Python or in C, with the interpreter's lock or without."""
    code = PRELUDE + place.format(work=work)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code,
        env=environment(tmp_path, tiny_folder("guiderail")) | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        cwd=tmp_path, stdin=-1, stdout=-1, stderr=-1, limit=1 << 22,
    )  # fmt: skip
    try:
        wire = Wire(process.stdout, process.stdin)  # pyright: ignore[reportArgumentType]
        reading = asyncio.ensure_future(wire.hello())
        await asyncio.wait([reading], timeout=30 if place is IN_LOOP else 5)
        wire.begin("guiderail/status")
        end = time.monotonic() + 60
        while not (tmp_path / "busy").exists():
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        helpers = _helpers(process.pid)
        assert helpers
        process.send_signal(signal.SIGTERM)
        for helper in (process.pid, *helpers):
            assert await _gone(helper, PATIENCE)
        reading.cancel()
    finally:
        # Kills it if need be, and lets go of its pipes: while one of them is full, `wait` does not end.
        process._transport.close()  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.wait_for(process.wait(), 10)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("name", "alone"), [("SIGTERM", False), ("SIGINT", False), ("SIGHUP", False), ("SIGTERM", True)]
)
async def test_a_signal_ends_a_server_properly(name: str, alone: bool, tmp_path: Path) -> None:
    """One that can end by itself does, with exit code 0, even if the process that keeps the deadline was killed."""
    command = [sys.executable, "-m", "guiderail", "lsp"]
    env = environment(tmp_path, tmp_path / "no model")
    process = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=tmp_path, stdin=-1, stdout=-1, stderr=-1, limit=1 << 22
    )
    try:
        wire = Wire(process.stdout, process.stdin)  # pyright: ignore[reportArgumentType]
        await wire.hello()
        while (await wire.ask("guiderail/status"))["result"]["state"] == "loading":
            await asyncio.sleep(0.1)
        if alone:
            for helper in _helpers(process.pid):
                os.kill(helper, signal.SIGKILL)
            await asyncio.sleep(0.3)
            assert (await wire.ask("guiderail/status"))["result"]["state"] == "error"
        process.send_signal(getattr(signal, name))
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        # Kills it if need be, and lets go of its pipes: while one of them is full, `wait` does not end.
        process._transport.close()  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.wait_for(process.wait(), 10)


async def test_the_deadline_does_not_hit_a_stranger() -> None:
    """A helper whose parent is gone kills nobody, whoever has that number now."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        ours, its = socket.socketpair()
        with ours, its:
            helper = subprocess.Popen(
                [sys.executable, watchdog.__file__, str(bystander.pid), "0.1"], stdin=its.fileno()
            )
            ours.send(b"x")
            assert ours.recv(1) == b"x"
            assert helper.wait(10) == 0  # this process is its parent, not the bystander
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
