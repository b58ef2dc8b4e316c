"""A stop rule for models that write what follows the cursor already, or close a code fence and begin to explain.

Many models write on into the lines below the cursor. Those that were trained to chat close what they take for a block
of code with a fence, and explain it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from guiderail.decoding.stops import CLOSERS, COMMENTS, LineStop, StopRule, indent, open_quote, shortened
from guiderail.text.fitting import FittedText, fit_text

FENCE = "```"
TRIPLE_QUOTES = ('"""', "'''")
PROSE = frozenset({"markdown", "plaintext", None})  # languages in which a fence is a part of the text
REACH = 4000  # characters after the cursor in which the first line that says something is looked for


@dataclass(frozen=True, slots=True)
class SuffixStop:
    """Ends a text before what follows; elsewhere as another rule does.

    The text ends before a line that is the first one below the cursor, with the same indentation; before a
    line that is indented less than that one, if that one goes on with the cursor's block; and before a fence. If
    something is after the cursor in its line, a text ends with a first line that says it too, or closes what it
    closes; and a text of one line ends with that line, even if it is blank.

    Parameters
    ----------
    inner
        The other rule.
    before, rest
        The cursor's line on both sides of the cursor.
    below
        The first line below that is not blank, without blanks at its end; empty if there is none.
    fences
        Whether a fence may be a part of the text, as in prose and in a docstring.
    quote
        What closes, after the cursor, a text of several lines that the cursor is in; the text ends before it.
    """

    inner: StopRule
    before: str
    rest: str
    below: str
    fences: bool = False
    quote: str = ""

    def end(self, text: str) -> int | None:
        """The first of the ends by the inner rule and by what follows."""
        if self.quote and (found := text.find(self.quote)) >= 0:
            earlier = replace(self, quote="").end(text[:found])
            return len(text[:found].rstrip()) if earlier is None else earlier
        first, ended, _ = text.partition("\n")
        if ended and self.rest.strip() and self._is_last(first.rstrip("\r")):
            return len(first.rstrip("\r" if isinstance(self.inner, LineStop) else None))
        if self.rest.strip() and isinstance(self.inner, LineStop):
            return None
        ends = (self.inner.end(text), self._own(text))
        return min((end for end in ends if end is not None), default=None)

    def _is_last(self, line: str) -> bool:
        """Whether a text whose first line this is ends with it, because something is after the cursor."""
        if isinstance(self.inner, LineStop):
            return True
        return bool(line.strip()) and fit_text(line, self.before, self.rest) != FittedText(line)

    def _own(self, text: str) -> int | None:
        """Length up to the line before what follows; only lines that have ended are looked at."""
        at, quoted = -len(self.before), False
        for line in (self.before + text).split("\n")[:-1]:
            if not quoted and self._is_beyond(line.rstrip(), first=at <= 0):
                return len(text[: max(at, 0)].rstrip())
            quoted = open_quote(line, quoted)
            at += len(line) + 1
        return None

    def _is_beyond(self, line: str, *, first: bool) -> bool:
        content, depth = line.strip(), indent(f"{self.before}x")
        if not content:
            return False
        if content.startswith(FENCE) and not self.fences:
            return True
        if line == self.below and not self.rest.strip():
            # A bracket alone says nothing, unless it closes the block that the cursor is in.
            return any(letter.isalnum() for letter in content) or indent(line) < depth
        floor = indent(self.below)
        return indent(line) < floor <= depth and not first and not content.startswith((*COMMENTS, *CLOSERS))


def stop_at_suffix(inner: StopRule, before: str, after: str, language: str | None, quote: str = "") -> SuffixStop:
    """The rule at a cursor; `before` is its line up to it, `after` the text after it, `quote` from `open_text`."""
    rest, _, below = after[:REACH].partition("\n")
    lines = (line.rstrip() for line in below.split("\n"))
    below = next((line for line in lines if line), "")
    return SuffixStop(inner, shortened(before), rest, below, language in PROSE or bool(quote), quote)


def open_text(text: str, offset: int) -> str:
    """The triple quotes that a text is in at an offset, and that close it further down; empty if it is in none."""
    both = ((quote, text.count(quote, 0, offset), text.count(quote, offset)) for quote in TRIPLE_QUOTES)
    return next((quote for quote, opened, closed in both if opened % 2 and closed % 2), "")
