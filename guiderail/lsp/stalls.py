"""Says in the log where the event loop stood still: an editor waits for it at each key.

Whatever reads a text on the loop is bounded, each in its own way (`tests/security`). What that misses is found here:
the log of somebody whose editor hangs names the place.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import guiderail

log = logging.getLogger(__name__)

LONG_S = 1.0  # for which the loop may be busy
REST_S = 0.5  # between two looks
PACKAGE = str(Path(guiderail.__file__).parent)


class StallReporter:
    """Looks while messages are handled whether the event loop still takes its turns; made on it.

    The log names a file, a line and a function, never a text.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._expected = threading.Event()
        threading.Thread(target=self._run, name="guiderail-stalls", daemon=True).start()

    def expect(self) -> None:
        """The loop is going to handle a message now."""
        self._expected.set()

    def _run(self) -> None:
        """Look at most every `REST_S`, and never while nothing is expected."""
        while self._expected.wait():
            self._expected.clear()
            try:
                self._look()
            except RuntimeError:  # the loop is closed
                return
            time.sleep(REST_S)

    def _look(self) -> None:
        began, taken = time.monotonic(), threading.Event()
        self._loop.call_soon_threadsafe(taken.set)
        if taken.wait(LONG_S):
            return
        log.warning("the event loop stands still at %s", _place(sys._current_frames().get(self._thread)))
        taken.wait()
        log.warning("the event loop went on after %.1f s", time.monotonic() - began)


def _place(frame: FrameType | None) -> str:
    """Where a thread is: the innermost function of guiderail, or of another package if there is none."""
    own = frame
    while own is not None and not own.f_code.co_filename.startswith(PACKAGE):
        own = own.f_back
    found = own or frame
    return f"{Path(found.f_code.co_filename).name}:{found.f_lineno} ({found.f_code.co_name})" if found else "its end"
