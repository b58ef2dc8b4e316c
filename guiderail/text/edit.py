"""A replaced range of a text, and the smallest one between two texts."""

from dataclasses import dataclass
from typing import AnyStr


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``text[start:end]`` by `text`; offsets are code points.

    Parameters
    ----------
    start, end
        The range that goes, ``0 <= start <= end``.
    text
        What comes in its place.
    """

    start: int
    end: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"an edit's range must satisfy 0 <= start <= end, not {self.start}, {self.end}")

    def apply(self, text: str) -> str:
        """The text after the edit.

        Raises
        ------
        ValueError
            If the range reaches beyond the end of the text.
        """
        if self.end > len(text):
            raise ValueError(f"edit ends at {self.end}, the text at {len(text)}")
        return "".join((text[: self.start], self.text, text[self.end :]))


def diff(old: str, new: str) -> Edit:
    """The smallest single edit that turns `old` into `new`; at equal size the rightmost one.

    It is what lies between the common beginning and the common end. Time is linear in the longer text.
    """
    start = common_prefix(old, new)
    tail = common_suffix(old, new, min(len(old), len(new)) - start)
    return Edit(start, len(old) - tail, new[start : len(new) - tail])


def common_prefix(a: AnyStr, b: AnyStr) -> int:
    """Length of the common beginning, by bisection: slices compare at memory speed."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(a: AnyStr, b: AnyStr, limit: int) -> int:
    """Length of the common end, at most `limit`."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
