"""Stop rules: where a completion ends, judged by its text.

A rule reads the text so far and returns the length at which it ends, or None. Rules are pure functions, so all
suggestions, and the evaluation's frozen truncation, are cut in the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from guiderail.choices import Until

OPENERS = (":", "{", "(", "[", "->", "=>")
TRIPLE_QUOTE = re.compile(r'"""|' + "'''")
CLOSERS = (")", "]", "}")
# Comments, decorators and preprocessor lines say nothing about where a block ends.
COMMENTS = ("#", "//")
TAB = 8
LOOPS = 3  # times that a stretch of SHORTEST_LOOP characters or more may not be said in a row
SHORTEST_LOOP = 8
SHORT_LOOPS, SHORT_LENGTH = 4, 20  # times, and characters in all, that a shorter stretch with a word in it may not
_WORD = re.compile(r"(?<!\w)[^\W\d]")
LONG = 1000  # characters of the cursor's line that a rule looks at for each token


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
    """The text ends with the block the cursor is in, or with the block that its line opens.

    Indentation decides, in every language: a block goes on as long as its lines are indented at least as deep as its
    first. A line that begins with a closing bracket belongs to the block that was opened; if it opens another one
    (`):`, `} else {`) the block goes on. Comments and text inside triple quotes do not count. Limit: other literals
    of several lines whose content is indented less than the block end it early.

    Parameters
    ----------
    before
        The cursor's line up to the cursor.
    """

    before: str

    def end(self, text: str) -> int | None:
        """Length up to the last line of the block, without trailing blank lines."""
        lines = (self.before + text).split("\n")
        head, floor, opened = self._head(lines)
        if floor is None:
            return None
        offset = sum(len(line) + 1 for line in lines[: head + 1]) - len(self.before)
        kept, quoted = offset - 1, open_quote(lines[head], False)
        for number, line in enumerate(lines[head + 1 :], head + 1):
            whole, content = number < len(lines) - 1, line.strip()
            inside = quoted or indent(line) >= floor
            if content and not inside and not content.startswith(COMMENTS):
                if not (opened and content.startswith(CLOSERS)):
                    return len(text[:kept].rstrip())
                if not whole:
                    return None
                if not content.endswith(OPENERS):
                    return offset + len(line.rstrip())
                inside = True
            quoted = open_quote(line, quoted)
            offset += len(line) + 1
            kept = offset - 1 if content and inside else kept
        return None

    def _head(self, lines: list[str]) -> tuple[int, int | None, bool]:
        """The block's first line, the least indentation of the lines after it, and whether that line opens it.

        None instead of an indentation while the first line is still being written.
        """
        plain = ("@", *COMMENTS) if not self.before.strip() else ()
        head = next((n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(plain)), -1)
        if head in (-1, len(lines) - 1):
            return 0, None, False
        line = lines[head].rstrip()
        depth, opens = indent(line), line.endswith(OPENERS)
        if self.before.strip() and head == 0 and opens:
            return head, depth + 1, True
        # At the left margin every line would belong to the block: it is the first statement, with what is below it.
        return (head, depth, False) if depth else (head, 1, opens)


def indent(line: str) -> int:
    """Columns before a line's first character that is no blank."""
    line = line.expandtabs(TAB)
    return len(line) - len(line.lstrip())


def open_quote(line: str, quoted: bool) -> bool:
    """Whether a text in triple quotes is open after a line, if it is, or is not, before it."""
    return quoted ^ (len(TRIPLE_QUOTE.findall(line)) % 2 == 1)


def loop_end(text: str) -> int | None:
    """The length at which `text` began to loop, or None if it does not.

    It does once it ends in the same stretch `LOOPS` times in a row, a short one some times more; the first of them
    still counts. Stretches without a letter (rows of numbers, rules of dashes), and short ones without a word, may
    repeat as often as they like.
    """
    for size in range(2, min(SHORTEST_LOOP, len(text) // SHORT_LOOPS + 1)):
        stretch, times = text[-size:], max(SHORT_LOOPS, -(-SHORT_LENGTH // size))
        if text.endswith(stretch * times) and _is_one(stretch) and _WORD.search(2 * stretch, 1):
            return len(text) - (times - 1) * size
    for size in range(SHORTEST_LOOP, len(text) // LOOPS + 1):
        stretch = text[-size:]
        if text.endswith(stretch * LOOPS) and _is_one(stretch) and any(letter.isalpha() for letter in stretch):
            return len(text) - (LOOPS - 1) * size
    return None


def _is_one(stretch: str) -> bool:
    """Whether a stretch is not a repetition of a shorter one."""
    return (stretch + stretch).find(stretch, 1) == len(stretch)


def stop_rule(until: Until, before: str) -> StopRule:
    """The rule for `until`, where `before` is the cursor's line up to the cursor."""
    if until == "line":
        return LineStop()
    return BlockStop(shortened(before)) if until == "block" else NeverStop()


def shortened(before: str) -> str:
    """A line shortened to what a rule needs, since the rule reads it at each token.

    What counts is how it is indented, whether it leaves a text of several lines open, and what it ends with.
    """
    if len(before) <= 2 * LONG:
        return before
    blanks = before[: len(before) - len(before.lstrip())][-LONG:]
    if not before.strip():
        return blanks
    quotes = [found.span() for found in TRIPLE_QUOTE.finditer(before)]
    last = before[slice(*quotes[-1])] if len(quotes) % 2 else ""
    return blanks + "x" + last + before[max(quotes[-1][1] if quotes else 0, len(before) - LONG) :]
