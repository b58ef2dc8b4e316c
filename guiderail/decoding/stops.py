"""Where a completion ends, judged on its text.

A rule looks at all the text written so far and says at which length it ends, or that it goes on. Rules are pure, so
that several suggestions, and the evaluation's frozen truncation, cut in one and the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

Until = Literal["line", "block", "tokens"]

OPENERS = (":", "{", "(", "[", "->", "=>")
TRIPLE_QUOTE = re.compile(r'"""|' + "'''")
CLOSING_LINE = re.compile(r"\s*[)\]}]+[;,]?")
TAB = 8


class StopRule(Protocol):
    """Says where a text ends."""

    def end(self, text: str) -> int | None:
        """Length at which `text` ends, or None when it may go on."""
        ...


@dataclass(frozen=True, slots=True)
class NeverStop:
    """The text ends by the token budget or the model's own end token."""

    def end(self, text: str) -> int | None:
        """Never."""
        return None


@dataclass(frozen=True, slots=True)
class LineStop:
    """The text ends with the first line that is not blank.

    A suggestion at the end of a finished line begins with a line break; ending there would show nothing, so the line
    that follows counts.
    """

    def end(self, text: str) -> int | None:
        """Length without the line's end."""
        start = len(text) - len(text.lstrip())
        found = text.find("\n", start) if start < len(text) else -1
        return None if found < 0 else len(text[:found].rstrip("\r"))


@dataclass(frozen=True, slots=True)
class BlockStop:
    """The text ends with the block the cursor stands in, or with the block that its line opens.

    Indentation decides, in every language: a block goes on as long as its lines are indented at least as deep as its
    first, and a line of closing brackets ends the block whose opening line it matches. Text inside a triple-quoted
    string does not count. Limit: other multi-line literals whose content is indented less than the block end it early.

    Parameters
    ----------
    before
        The cursor's line up to the cursor.
    """

    before: str

    def end(self, text: str) -> int | None:
        """Length up to the last line of the block, without trailing blank lines."""
        lines = (self.before + text).split("\n")
        floor, opened = self._floor(lines)
        if floor is None:
            return None
        offset, quoted = len(lines[0]) + 1, _open_quote(lines[0], False)
        for line in lines[1:-1] if text.endswith("\n") else lines[1:]:
            if line.strip() and not quoted and _indent(line) < floor:
                return self._cut(text, line, offset, opened)
            quoted = _open_quote(line, quoted)
            offset += len(line) + 1
        return None

    def _floor(self, lines: list[str]) -> tuple[int | None, bool]:
        """The least indentation of the block's lines, and whether the cursor's line opens it."""
        first = next((n for n, line in enumerate(lines) if line.strip()), None)
        if first is None or first == len(lines) - 1:
            return None, False
        line = lines[first].rstrip()
        if line.endswith(OPENERS) and first == 0 and self.before.strip():
            return _indent(line) + 1, True
        # At the left margin every line would belong to the block: it is the first statement, with what is below it.
        at_margin = _indent(line) == 0 and not self.before.strip()
        return (1, line.endswith(OPENERS)) if at_margin else (max(_indent(line), int(not _indent(line))), False)

    def _cut(self, text: str, line: str, offset: int, opened: bool) -> int:
        start = offset - len(self.before)
        closing = CLOSING_LINE.match(line)
        if opened and closing:
            return start + closing.end()
        return len(text[:start].rstrip())


def _indent(line: str) -> int:
    line = line.expandtabs(TAB)
    return len(line) - len(line.lstrip())


def _open_quote(line: str, quoted: bool) -> bool:
    return quoted ^ (len(TRIPLE_QUOTE.findall(line)) % 2 == 1)


def stop_rule(until: Until, before: str) -> StopRule:
    """The rule for `until`, where `before` is the cursor's line up to the cursor."""
    if until == "line":
        return LineStop()
    return BlockStop(before) if until == "block" else NeverStop()
