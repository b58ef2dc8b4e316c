"""A program in a terminal of its own, and what it shows."""

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType

import pytest

ROWS, COLUMNS = 20, 90


class Terminal:
    """Runs a program until the block ends.

    Parameters
    ----------
    command, folder, environment
        What to run, where, and with which variables added to this process's.
    """

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        pexpect = pytest.importorskip("pexpect", reason="NO PEXPECT: pip install -e '.[dev]'")
        pyte = pytest.importorskip("pyte", reason="NO PYTE: pip install -e '.[dev]'")
        variables = os.environ | environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._silence = pexpect.TIMEOUT
        self._program = pexpect.spawn(
            command[0], command[1:], cwd=str(folder), env=variables, dimensions=(ROWS, COLUMNS)
        )
        self._screen = pyte.Screen(COLUMNS, ROWS)
        # pyte would answer on a channel that nobody reads.
        self._screen.report_device_attributes = self._screen.report_device_status = lambda *_, **__: None
        self._stream = pyte.ByteStream(self._screen)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._program.close(force=True)

    def send(self, keys: str) -> None:
        """Press keys."""
        self._program.send(keys)

    def shows(self, text: str, seconds: float) -> bool:
        """Whether a text comes onto the screen in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._has(text):
            self._read()
        return self._has(text)

    def wait_for(self, text: str, seconds: float) -> None:
        """Wait until a text is on the screen."""
        assert self.shows(text, seconds), "\n".join(self._screen.display)

    def _read(self) -> None:
        with contextlib.suppress(self._silence):
            self._stream.feed(self._program.read_nonblocking(65536, timeout=0.1))

    def _has(self, text: str) -> bool:
        return any(text in line for line in self._screen.display)
