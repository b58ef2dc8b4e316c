"""Reads a text backwards from an offset, at a cost that does not depend on the text's length."""

from __future__ import annotations

from collections.abc import Iterator


def word_start(text: str, end: int) -> int:
    r"""Where the word begins that ends at an offset: letters, digits and underscores, as ``\w`` takes them."""
    while end > 0 and (text[end - 1].isalnum() or text[end - 1] == "_"):
        end -= 1
    return end


def lines_above(text: str, end: int) -> Iterator[str]:
    """The lines of ``text[:end]`` without their ends, the last one first, which is left out if it is empty."""
    if end > 0 and text[end - 1] == "\n":
        end -= 1
    while end > 0:
        start = text.rfind("\n", 0, end) + 1
        yield text[start:end].removesuffix("\r")
        end = start - 1
