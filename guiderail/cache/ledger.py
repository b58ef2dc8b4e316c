"""Which tokens of a cache are exact: computed after the very tokens that come before them now.

Every token carries a fingerprint of the sequence up to itself, and the one under which its keys and values were
computed from exact ones. It is exact while both are equal, which an undo can make true again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import getsizeof

from guiderail.cache.diff import Block

_STALE = 0  # computed after other tokens, or after tokens that were not exact
_MISSING = -1  # not computed, or lost


class Ledger:
    """The tokens of a sequence and the state of each.

    Parameters
    ----------
    rotated_is_exact
        Whether rotating a key loses nothing that matters: in 32 bit, but not in 16.
    """

    def __init__(self, *, rotated_is_exact: bool) -> None:
        self.ids: list[int] = []
        self.rotations: list[int] = []  # rotations of each key since it was computed
        self._rotated_is_exact = rotated_is_exact
        self._contexts: list[int] = []
        self._computed: list[int] = []
        self._exact_upto = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def exact_upto(self) -> int:
        """How many tokens from the start are exact without a gap."""
        return self._exact_upto

    @property
    def nbytes(self) -> int:
        """About the bytes that it takes: four lists, and two integers of 64 bits a token."""
        return sum(getsizeof(column) for column in self._columns()) + 2 * len(self) * getsizeof(1 << 62)

    def is_exact(self, index: int) -> bool:
        """Whether this token's keys and values are those of a fresh encoding."""
        return self._computed[index] == self._contexts[index] and (self._rotated_is_exact or not self.rotations[index])

    def inexact(self) -> list[int]:
        """The tokens that are not exact, in order."""
        return [i for i in range(self._exact_upto, len(self)) if not self.is_exact(i)]

    def missing(self) -> list[int]:
        """The tokens without keys and values, in order."""
        return [i for i in range(self._exact_upto, len(self)) if self._computed[i] == _MISSING]

    def comparable(self) -> list[int]:
        """The ids, with -1 for a missing token: what a new sequence may be compared with."""
        if self._exact_upto == len(self):
            return self.ids
        return [-1 if c == _MISSING else i for i, c in zip(self.ids, self._computed, strict=True)]

    def truncate(self, length: int) -> None:
        """Forget the tokens from `length` on."""
        for column in (self.ids, self.rotations, self._contexts, self._computed):
            del column[length:]
        self._exact_upto = min(self._exact_upto, length)

    def extend(self, ids: Sequence[int]) -> None:
        """Append tokens; they are missing until `written`."""
        context = self._contexts[-1] if self._contexts else 0
        for token in ids:
            context = _following(context, token)
            self._contexts.append(context)
        self.ids.extend(ids)
        self.rotations.extend([0] * len(ids))
        self._computed.extend([_MISSING] * len(ids))

    def spliced(self, ids: Sequence[int], blocks: Iterable[Block]) -> Ledger:
        """The ledger of `ids` once `blocks` of this sequence have been moved to their new places."""
        new = Ledger(rotated_is_exact=self._rotated_is_exact)
        blocks = list(blocks)
        head = blocks[0].length if blocks and not blocks[0].old and not blocks[0].new else 0
        for mine, theirs in zip(new._columns(), self._columns(), strict=True):
            mine.extend(theirs[:head])
        new.extend(ids[head:])
        for block in blocks:
            old, now = slice(block.old, block.old + block.length), slice(block.new, block.new + block.length)
            new._computed[now] = self._computed[old]
            new.rotations[now] = [rotations + (block.shift != 0) for rotations in self.rotations[old]]
        new._exact_upto = min(self._exact_upto, head)
        new._advance()
        return new

    def lose(self, indices: Iterable[int]) -> None:
        """Mark tokens as missing whose keys and values are about to be overwritten."""
        for index in indices:
            self._computed[index] = _MISSING
            self._exact_upto = min(self._exact_upto, index)

    def written(self, indices: Sequence[int], *, exact: bool = True) -> None:
        """Mark tokens (in order) as computed in one pass, each from all tokens before it.

        They are exact if all before them is; `exact` False says that they are not in any case.
        """
        for index in indices:
            self.rotations[index] = 0
            self._computed[index] = self._contexts[index] if exact else _STALE
        self._advance()
        for index in indices:
            if index >= self._exact_upto:
                self._computed[index] = _STALE

    def _advance(self) -> None:
        while self._exact_upto < len(self) and self.is_exact(self._exact_upto):
            self._exact_upto += 1

    def _columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        return self.ids, self.rotations, self._contexts, self._computed


def _following(context: int, token: int) -> int:
    """The fingerprint of a sequence and one more token (64 bit, as Python hashes tuples); no state's mark."""
    return hash((context, token)) or 1
