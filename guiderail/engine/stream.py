"""A suggestion that is still being written."""

from __future__ import annotations


class TextStream:
    """The first suggestion's text so far; one thread writes it, another may read it at any time.

    Attributes
    ----------
    text
        What was written, without a half-typed word that the model writes once more.
    """

    def __init__(self) -> None:
        self.text = ""
        self._data = b""
        self._skip = 0

    def begin(self, typed: str) -> None:
        """Start after a half-typed word."""
        self._skip = len(typed.encode())

    def add(self, data: bytes) -> None:
        """Append a token's bytes."""
        self._data += data
        self.text = self._data[self._skip :].decode(errors="ignore")
