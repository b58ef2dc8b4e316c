"""What all tests stand on."""

import gc
import signal

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts from there.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let the collector pass over what lasts as long as the run: the tests and the libraries, millions of objects."""
    gc.collect()
    gc.freeze()
