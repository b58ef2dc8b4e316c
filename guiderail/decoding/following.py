"""Where a text ends because what stands behind the cursor begins, or because a model turns from writing to talking.

Many models write on into the lines that stand below the cursor already. Those that were trained to chat close what they
take for a block of code with a fence, and explain it.
"""

from __future__ import annotations

from dataclasses import dataclass

from guiderail.decoding.stops import CLOSERS, COMMENTS, LineStop, StopRule, indent, open_quote, shortened

FENCE = "```"
PROSE = frozenset({"markdown", "plaintext", None})  # languages in which a fence is a part of the text
REACH = 4000  # characters behind the cursor in which the first line that says something is looked for


@dataclass(frozen=True, slots=True)
class Following:
    """Ends a text in front of what follows; elsewhere as another rule does.

    The text ends in front of a line that is the first one below the cursor, with the same indentation; in front of a
    line that is indented less than that one, if that one goes on with the cursor's block; and in front of a fence. If
    something stands behind the cursor in its line, a text of one line ends with that line, even if it is blank.

    Parameters
    ----------
    inner
        The other rule.
    before, rest
        The cursor's line on both sides of the cursor.
    below
        The first line below that is not blank, without blanks at its end; empty if there is none.
    fences
        Whether a fence may be a part of the text.
    """

    inner: StopRule
    before: str
    rest: str
    below: str
    fences: bool = False

    def end(self, text: str) -> int | None:
        """The first of the ends."""
        if self.rest.strip() and isinstance(self.inner, LineStop):
            found = text.find("\n")
            return None if found < 0 else len(text[:found].rstrip("\r"))
        ends = (self.inner.end(text), self._own(text))
        return min((end for end in ends if end is not None), default=None)

    def _own(self, text: str) -> int | None:
        """Length up to the line in front of what follows; only lines that have ended are looked at."""
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
            # A bracket alone says nothing, unless it closes what the cursor stands in.
            return any(letter.isalnum() for letter in content) or indent(line) < depth
        floor = indent(self.below)
        return indent(line) < floor <= depth and not first and not content.startswith((*COMMENTS, *CLOSERS))


def following(inner: StopRule, before: str, after: str, language: str | None) -> Following:
    """The rule at a cursor; `before` is its line up to it, `after` what stands behind it."""
    rest, _, below = after[:REACH].partition("\n")
    lines = (line.rstrip() for line in below.split("\n"))
    below = next((line for line in lines if line), "")
    return Following(inner, shortened(before), rest, below, fences=language in PROSE)
