"""Errors that a person reads: one clear line, and what to do about it.

GuiderailError          exit code 1   something failed on our side or on the machine
├── UnavailableError    exit code 1   somebody else who is needed does not answer
└── UsageError          exit code 2   the caller asked for something impossible

Each room derives its own errors from these; the command line prints them without a traceback.
"""


class GuiderailError(Exception):
    """A failure with a message and a remedy.

    Parameters
    ----------
    message
        What went wrong, in one line without a final full stop.
    remedy
        What the person can do, in one line; empty when there is nothing to do.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return sentences(self.message, self.remedy)


def sentences(first: str, second: str) -> str:
    """Join two sentences in one line; the first may end in ? or !, the second may be empty."""
    return f"{first}{'' if first.endswith(('?', '!')) else '.'} {second}" if second else first


class UnavailableError(GuiderailError):
    """Another process that is needed does not answer as it should; it may later."""


class UsageError(GuiderailError):
    """The caller's input is wrong: a missing file, a position outside the file, an unknown name."""

    exit_code = 2
