"""A text that is to stand in a document."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A text in place of `document.text[start:end]`; `finished` is whether nothing more was to come."""

    start: int
    end: int
    text: str
    finished: bool = True
