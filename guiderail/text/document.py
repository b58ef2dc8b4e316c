"""The text of one file as an editor sees it: LSP lines, offsets in code points."""

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from guiderail.errors import UsageError

# LSP knows three line ends and no others. str.splitlines also breaks at form feed, \x1c, \x85 and U+2028,
# which shifts every line after them.
_LINE_END = re.compile(r"\r\n?|\n")


class PositionError(UsageError):
    """A line, column or offset that the document does not have."""


@dataclass(frozen=True)
class Document:
    """The immutable text of one file.

    Lines and columns are counted from 0; columns and offsets are code points. A document of n line ends has
    n + 1 lines, the last of which may be empty.

    Parameters
    ----------
    text
        The whole text, with its line ends as they are.
    path
        Where the file is, if it is anywhere.
    language
        A language identifier such as ``"python"`` (see `guiderail.text.language`), if known.
    """

    text: str
    path: Path | None = None
    language: str | None = None

    @classmethod
    def with_lines(cls, text: str, starts: "array[int]", path: Path | None, language: str | None) -> "Document":
        """A document of which somebody keeps the offsets of the lines' first code points already."""
        made = cls(text, path, language)
        made.__dict__["_starts"] = starts
        return made

    @cached_property
    def _starts(self) -> "array[int]":
        """Offset of each line's first code point; computed once, at the first question about lines."""
        if self.text.count("\r") != self.text.count("\r\n"):
            return array("q", [0, *(match.end() for match in _LINE_END.finditer(self.text))])
        starts = array("q", accumulate((len(line) + 1 for line in self.text.split("\n")), initial=0))
        starts.pop()  # the last line has no end
        return starts

    @property
    def line_count(self) -> int:
        """Number of lines, at least 1."""
        return len(self._starts)

    def line_start(self, line: int) -> int:
        """Offset of the first code point of a line.

        Raises
        ------
        PositionError
            If there is no such line.
        """
        if not 0 <= line < len(self._starts):
            raise PositionError(
                f"line {line + 1} does not exist: the document has {len(self._starts)} lines",
                f"Choose a line from 1 to {len(self._starts)}.",
            )
        return self._starts[line]

    def line_end(self, line: int) -> int:
        """Offset after the last code point of a line, before its line end."""
        start, stop = self.line_start(line), len(self.text)
        if line + 1 == len(self._starts):
            return stop
        stop = self._starts[line + 1]
        return max(start, stop - (2 if self.text.endswith("\r\n", start, stop) else 1))

    def line_text(self, line: int) -> str:
        """Text of a line without its line end."""
        return self.text[self.line_start(line) : self.line_end(line)]

    def offset_at(self, line: int, column: int) -> int:
        """Offset of a position.

        Raises
        ------
        PositionError
            If the line or the column does not exist; the message names the limit.
        """
        start = self.line_start(line)
        length = self.line_end(line) - start
        if not 0 <= column <= length:
            raise PositionError(
                f"column {column} does not exist: line {line + 1} has {length} columns",
                f"Choose a column from 0 to {length}.",
            )
        return start + column

    def position_at(self, offset: int) -> tuple[int, int]:
        r"""Line and column of an offset; an offset inside ``\r\n`` is the end of its line.

        Raises
        ------
        PositionError
            If the offset is outside the text.
        """
        if not 0 <= offset <= len(self.text):
            raise PositionError(
                f"offset {offset} does not exist: the document has {len(self.text)} characters",
                f"Choose an offset from 0 to {len(self.text)}.",
            )
        line = bisect_right(self._starts, offset) - 1
        return line, min(offset, self.line_end(line)) - self._starts[line]
