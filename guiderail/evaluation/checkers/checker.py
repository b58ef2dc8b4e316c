"""The contract of a checker."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class CannotCheck(Exception):
    """A checker cannot judge; the message says why in a few words, for the count."""


class Checker(Protocol):
    """Finds the errors of a file in its project."""

    def errors(self, root: Path, path: str, text: str) -> list[str]:
        """What is wrong with the file `path` of the project `root` if it holds `text`; one word or line an error.

        Raises
        ------
        CannotCheck
            It does not say.
        """
        ...

    def stop(self) -> None:
        """End what runs."""
        ...
