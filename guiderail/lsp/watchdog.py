"""Kills its parent when that does not end in time; run as a script: ``watchdog.py PARENT SECONDS``.

Standard input is one end of a pair of sockets, the other end of which the parent alone holds. The first bytes that
come are sent back and begin the countdown; the end of the stream means that the parent is gone.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time


def main(parent: int, seconds: float) -> None:
    """Wait for the first bytes, and then for the parent's end."""
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # who ends all of a group or a name must not end this one first
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    wire = socket.socket(fileno=os.dup(0))
    data = wire.recv(64)
    if not data:
        return
    with contextlib.suppress(OSError):
        wire.sendall(data[:1])
    if not _ends(wire, seconds) and os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)
        if select.select([], [2], [], 0)[1]:  # who reads no more must not keep this process
            os.write(2, b"guiderail: the server did not end in time, and was killed\n")


def _ends(wire: socket.socket, seconds: float) -> bool:
    """Whether the parent ends within so many seconds."""
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        if select.select([wire], [], [], rest)[0]:
            try:
                if not wire.recv(64):
                    return True
            except ConnectionError:
                return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
