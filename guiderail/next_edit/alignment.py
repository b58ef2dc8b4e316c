"""Which token of a text became which of a later text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from rapidfuzz.distance import Levenshtein

from guiderail.next_edit.source_tree import SourceTree, Token

LONGEST = 8000  # tokens between the common beginning and end; of more, nothing is said


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
        self._became = dict(_pairs(before.tokens, after.tokens))

    def became(self, start: int) -> Token | None:
        """What the token that began at an offset of the earlier text became; None if it is gone, or is not known."""
        return self._became.get(start)

    def renamed(self) -> Mapping[tuple[str, str], list[Token]]:
        """The names that were replaced by other names: old and new, and the tokens of the earlier text.

        A name has the same role in both texts. A function or class of the old name that is still there was not renamed.
        """
        found: dict[tuple[str, str], list[Token]] = {}
        for token in self.before.tokens:
            new = self._became.get(token.start)
            if new is None or not token.is_name or not new.is_name or new.text == token.text:
                continue
            if self._role(self.before, token) == self._role(self.after, new) and token.text not in self._declared:
                found.setdefault((token.text, new.text), []).append(token)
        return found

    def _role(self, tree: SourceTree, token: Token) -> tuple[str, str | None]:
        """What a name is in its parent."""
        node = tree.name_at(token.start)
        parent = node.parent if node is not None else None
        if node is None or parent is None:
            return "", None
        return parent.type, tree.field(parent, node)

    @cached_property
    def _declared(self) -> frozenset[str]:
        """The functions and classes of the later text."""
        return frozenset(self.after.declared())


def _pairs(before: Sequence[Token], after: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The start of each token that is still there, or was replaced by one other, with what it became."""
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    yield from ((old.start, new) for old, new in zip(before[:first], after[:first], strict=True))
    tail = len(before) - last, len(after) - last
    yield from ((old.start, new) for old, new in zip(before[tail[0] :], after[tail[1] :], strict=True))
    middle = before[first : tail[0]], after[first : tail[1]]
    if max(map(len, middle)) > LONGEST:
        return
    old, new = middle
    for step in Levenshtein.opcodes([one.text for one in old], [one.text for one in new]):
        if step.tag in {"equal", "replace"}:
            pairs = zip(old[step.src_start : step.src_end], new[step.dest_start : step.dest_end], strict=True)
            yield from ((a.start, b) for a, b in pairs)


def _common(before: Sequence[Token], after: Sequence[Token]) -> int:
    """How many tokens both begin with."""
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if (old.text, old.kind) != (new.text, new.kind):
            return number
    return min(len(before), len(after))
