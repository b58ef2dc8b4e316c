"""Where the lines of a text begin, as the Language Server Protocol counts lines."""

import re
from array import array
from bisect import bisect_right
from itertools import accumulate

from guiderail.text.edit import Edit

# LSP knows three line ends and no others. str.splitlines also breaks at form feed, \x1c, \x85 and U+2028,
# which shifts every line after them.
_LINE_END = re.compile(r"\r\n?|\n")


def line_starts(text: str) -> "array[int]":
    """Offsets of the first code point of each line; the first is 0."""
    if text.count("\r") != text.count("\r\n"):
        return array("q", [0, *(match.end() for match in _LINE_END.finditer(text))])
    starts = array("q", accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    starts.pop()  # the last line has no end
    return starts


def line_starts_after(edit: Edit, starts: "array[int]", old: str, new: str) -> "array[int]":
    """The line starts of the text `new`, which an edit made of `old`; only the edited lines are read.

    Parameters
    ----------
    edit
        What was changed.
    starts
        The line starts of `old`.
    """
    import numpy as np  # the start of the command line does without

    first, after = bisect_right(starts, edit.start) - 1, bisect_right(starts, edit.end)
    if first and starts[first] == edit.start and old[edit.start - 1] == "\r":
        first -= 1  # a line feed written here would join the carriage return before it
    shift = len(new) - len(old)
    begin, end = starts[first], starts[after] + shift if after < len(starts) else len(new)
    inner = [begin + start for start in line_starts(new[begin:end])]
    if after < len(starts) and inner[-1] == end:
        inner.pop()  # the rest begins with it
    made = array("q", [0]) * (first + len(inner) + len(starts) - after)
    before, values = np.frombuffer(starts, dtype=np.int64), np.frombuffer(made, dtype=np.int64)
    values[:first], values[first : first + len(inner)] = before[:first], inner
    np.add(before[after:], shift, out=values[first + len(inner) :])
    return made
