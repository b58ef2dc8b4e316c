"""What all tests stand on."""

import signal

# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts from there.
signal.signal(signal.SIGINT, signal.default_int_handler)
