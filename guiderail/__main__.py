"""The console script, and ``python -m guiderail``: Ctrl-C is one line from the first import to the last.

While the command line is being imported nothing has been begun that would have to be ended, so an interrupt ends the
process at once: raised inside an import it would leave a traceback, or get lost in a callback of the import system.
"""

import contextlib
import os
import signal
from types import FrameType
from typing import NoReturn


def _end(_number: int = signal.SIGINT, _frame: FrameType | None = None) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"guiderail: interrupted\n")
    os._exit(130)


def main() -> NoReturn:
    """Import the command line and run it."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's background jobs ignore it
    if heeded:
        signal.signal(signal.SIGINT, _end)
    from guiderail.cli.main import main as command

    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command()
    except KeyboardInterrupt:  # not while a command ran: that was told already
        _end()


if __name__ == "__main__":
    main()
