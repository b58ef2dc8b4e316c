"""Ends the server within a bounded time of a signal, whatever it does.

A handler written in Python runs in the main thread, between two of its bytecodes. It never runs while that thread is
inside a long C call, and none of Python runs while any thread holds the interpreter's lock, as a slow regular
expression does; a thread that waits for signals needs the same lock, and an alarm would have to be set by somebody. So
the deadline is kept by another process. What the C part of Python's signal handling does at once and without the lock
is to write to the descriptor of `signal.set_wakeup_fd`: that leads to a small helper (`watchdog.py`), which sends the
byte back, so that the event loop ends the server properly, and kills the server if it is still there when the time is
over. Killed like that nothing is left either: the kernel ends the analysers with their parent (`launcher.py`), and the
helper ends at the end of its stream. The default action of SIGTERM would be simpler, but loses what is queued for the
client, and the exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

GRACE = 1.7  # seconds from the signal
_HELPER = Path(__file__).with_name("watchdog.py")


class SignalHandler:
    """Listens to SIGTERM, SIGINT and SIGHUP for this process; made in the main thread, once."""

    def __init__(self) -> None:
        self._watchdog = _started()

    def watch(self, end: Callable[[], object]) -> None:
        """Call `end` on the running event loop when a signal comes."""
        loop = asyncio.get_running_loop()
        if self._watchdog is None:
            _handle_on_loop(loop, end)
            return
        signal.set_wakeup_fd(self._watchdog.fileno(), warn_on_full_buffer=False)
        for name in _signals():
            signal.signal(name, lambda *_: None)  # the byte that comes back does the work
        loop.add_reader(self._watchdog, self._byte_came, loop, end)

    def start_countdown(self) -> None:
        """Begin the countdown of `GRACE` seconds: the process is about to end by itself."""
        if self._watchdog is not None:
            with contextlib.suppress(OSError):
                self._watchdog.send(b"\0")

    def _byte_came(self, loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
        """End the server on the byte that comes back; without the helper, have the loop handle signals."""
        assert self._watchdog is not None
        try:
            data = self._watchdog.recv(64)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            log.warning("the shutdown watchdog has ended")
            loop.remove_reader(self._watchdog)
            _handle_on_loop(loop, end)
            self._watchdog = None
        else:
            end()


def _started() -> socket.socket | None:
    """The helper's socket; None where there can be no helper."""
    if sys.platform == "win32":
        return None
    ours, its = socket.socketpair()
    ours.setblocking(False)
    command = [sys.executable, "-I", "-S", str(_HELPER), str(os.getpid()), str(GRACE)]
    with its:
        try:
            subprocess.Popen(command, stdin=its.fileno(), stdout=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            log.warning("there is no shutdown watchdog: %s", error.strerror)
            ours.close()
            return None
    return ours


def _signals() -> list[signal.Signals]:
    """The signals that end the server; SIGHUP is not one of them under nohup."""
    found = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


def _handle_on_loop(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
    for name in _signals():
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(name, end)
