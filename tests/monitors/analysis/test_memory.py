"""Memory of a process group."""

import os
import signal
import subprocess
import sys
import time

import pytest

from guiderail.monitors.analysis.memory import group_mb

pytestmark = pytest.mark.e2e
HOLDER = "import sys, time; held = bytearray(b'x' * 80_000_000); print(flush=True); time.sleep(60)"
# Starts a holder and ends; the holder is an orphan by then.
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
def test_orphans_of_a_group_count() -> None:
    """What a server started counts, also when the server itself has ended; without a process nothing does."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, HOLDER], stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        try:
            parent.stdout.readline()
            assert group_mb(parent.pid) > 80
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while group_mb(parent.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert group_mb(parent.pid) == 0
    assert group_mb(None) == 0
