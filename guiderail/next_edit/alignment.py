"""Which token of a text became which of a later text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from guiderail.next_edit.source_tree import SourceTree, Token

NEAR = 4  # tokens between two changes that are one
LONGEST = 8000  # tokens between the common beginning and end; of more, nothing is said


class Hunk(NamedTuple):
    """A change: the tokens of the earlier text that it took away, and those of the later one that it brought."""

    before: range
    after: range


class Alignment:
    """The tokens of a text, each with the token of a later text that it became.

    Parameters
    ----------
    before, after
        The two texts.
    """

    def __init__(self, before: SourceTree, after: SourceTree) -> None:
        self.before = before
        self.after = after
        pairs = list(_pairs(before.tokens, after.tokens))
        self._became = {before.tokens[old].start: after.tokens[new] for old, new in pairs}
        self._origins = {new: old for old, new in pairs}

    def became(self, start: int) -> Token | None:
        """What the token that began at an offset of the earlier text became; None if it is gone, or is not known."""
        return self._became.get(start)

    def replaced_names(self) -> Iterator[tuple[Token, Token]]:
        """The names in whose place there is another name, each with that one."""
        for token in self.before.tokens:
            new = self._became.get(token.start)
            if new is not None and token.is_name and new.is_name and new.text != token.text:
                yield token, new

    def hunks(self) -> Iterator[Hunk]:
        """The changes in order; those of one line with little between them are one."""
        last: Hunk | None = None
        for one in self._runs():
            if last is not None and self._is_near(last, one):
                last = Hunk(range(last.before.start, one.before.stop), range(last.after.start, one.after.stop))
                continue
            if last is not None:
                yield last
            last = one
        if last is not None:
            yield last

    def _runs(self) -> Iterator[Hunk]:
        """What stands between the tokens that are the same."""
        old, new = self.before.tokens, self.after.tokens
        kept = sorted((a, b) for b, a in self._origins.items() if old[a].text == new[b].text)
        at = 0, 0
        for a, b in (*kept, (len(old), len(new))):
            if (a, b) != at:
                yield Hunk(range(at[0], a), range(at[1], b))
            at = a + 1, b + 1

    def _is_near(self, one: Hunk, other: Hunk) -> bool:
        """Whether few tokens stand between two changes, and no line ends there."""
        between = self.after.tokens[max(0, one.after.stop - 1) : other.after.start]
        if not between or len(between) > NEAR + 1:
            return False
        return "\n" not in self.after.document.text[between[0].end : between[-1].end]

    def is_unchanged(self, start: int, end: int) -> bool:
        """Whether what stands between two offsets of the later text stood there, and nothing else did."""
        tokens = self.after.tokens
        first, last = (bisect_left(tokens, at, key=lambda one: one.start) for at in (start, end))
        origins = [self._origins.get(number, -1) for number in range(first, last)]
        if not origins or -1 in origins or origins != list(range(origins[0], origins[0] + len(origins))):
            return False
        olds = self.before.tokens[origins[0] : origins[0] + len(origins)]
        return all(old.text == new.text for old, new in zip(olds, tokens[first:last], strict=True))


def _pairs(before: Sequence[Token], after: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """The indices of each token that is still there, or was replaced by one other, and of what it became."""
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    yield from ((number, number) for number in range(first))
    yield from ((len(before) - number, len(after) - number) for number in range(last, 0, -1))
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if max(len(old), len(new)) > LONGEST:
        return
    for step in Levenshtein.opcodes([one.text for one in old], [one.text for one in new]):
        if step.tag in {"equal", "replace"}:
            starts = range(step.src_start, step.src_end), range(step.dest_start, step.dest_end)
            yield from ((first + a, first + b) for a, b in zip(*starts, strict=True))


def _common(before: Sequence[Token], after: Sequence[Token]) -> int:
    """How many tokens both begin with."""
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if (old.text, old.kind) != (new.text, new.kind):
            return number
    return min(len(before), len(after))
