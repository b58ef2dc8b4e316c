"""Which tokens of an old sequence recur in a new one.

Ids are compared, never offsets: one key stroke can re-tokenise the text on both sides of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

# Edits in one gap at most that Myers' algorithm looks for; its time grows with their square.
MOST_EDITS = 128
# Tokens of a window that must stand once in both sequences to be an anchor.
WINDOW = 12
# Hunks closer than this are one: so few tokens between two changes are cheaper to encode than to keep right.
NEAREST = 16


@dataclass(frozen=True, slots=True)
class Block:
    """`length` equal tokens, at `old` in the old sequence and at `new` in the new one."""

    old: int
    new: int
    length: int

    @property
    def shift(self) -> int:
        """How far to the right the block has moved."""
        return self.new - self.old


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Tokens that both sequences begin with."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def diff(old: Sequence[int], new: Sequence[int], *, nearest: int = NEAREST) -> list[Block]:
    """The blocks that both sequences share, in order.

    With few changes (`MOST_EDITS`) no other choice of tokens keeps more (Myers, "An O(ND) difference algorithm",
    1986, section 3); with more, the sequences are first aligned at the windows that stand once in both ("patience").
    Then blocks shorter than `nearest` between two changes are given up.

    Parameters
    ----------
    old, new
        Token ids.
    nearest
        Tokens between two changes that are worth keeping; 1 keeps all.
    """
    head = common_prefix(old, new)
    tail = common_prefix(old[head:][::-1], new[head:][::-1])
    middle = _aligned(old[head : len(old) - tail], new[head : len(new) - tail])
    blocks = [Block(0, 0, head)] if head else []
    blocks += [Block(b.old + head, b.new + head, b.length) for b in middle]
    if tail:
        blocks.append(Block(len(old) - tail, len(new) - tail, tail))
    return [b for b in _joined(blocks) if b.length >= nearest or not b.new or b.new + b.length == len(new)]


def _joined(blocks: list[Block]) -> list[Block]:
    joined: list[Block] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if last and last.shift == block.shift and last.new + last.length == block.new:
            joined[-1] = Block(last.old, last.new, last.length + block.length)
        else:
            joined.append(block)
    return joined


def _aligned(old: Sequence[int], new: Sequence[int]) -> list[Block]:
    blocks = _myers(old, new)
    if blocks is not None:
        return blocks
    found, at_old, at_new = list[Block](), 0, 0
    for anchor in [*_anchors(old, new), Block(len(old), len(new), 0)]:
        if anchor.old < at_old or anchor.new < at_new:
            continue
        gap = _myers(old[at_old : anchor.old], new[at_new : anchor.new]) or []
        found += [Block(b.old + at_old, b.new + at_new, b.length) for b in gap]
        length = common_prefix(old[anchor.old :], new[anchor.new :])
        if length:
            found.append(Block(anchor.old, anchor.new, length))
        at_old, at_new = anchor.old + length, anchor.new + length
    return found


def _myers(old: Sequence[int], new: Sequence[int]) -> list[Block] | None:
    """The blocks of a shortest edit script; None if it has more than MOST_EDITS deletions and insertions."""
    if not old or not new:
        return []
    best, history = {1: 0}, list[dict[int, int]]()
    for edits in range(min(MOST_EDITS, len(old) + len(new)) + 1):
        history.append(dict(best))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and best[k - 1] < best[k + 1])
            x = best[k + 1] if down else best[k - 1] + 1
            while x < len(old) and 0 <= x - k < len(new) and old[x] == new[x - k]:
                x += 1
            best[k] = x
            if x >= len(old) and x - k >= len(new):
                return _traced(history, len(old), len(new))
    return None


def _traced(history: list[dict[int, int]], x: int, y: int) -> list[Block]:
    """Walk back through the furthest points of each number of edits; the diagonals are the blocks."""
    blocks = list[Block]()
    for edits in range(len(history) - 1, -1, -1):
        best, k = history[edits], x - y
        down = k == -edits or (k != edits and best[k - 1] < best[k + 1])
        before_k = k + 1 if down else k - 1
        before_x = best[before_k]
        start = before_x if down else before_x + 1
        if x > start:
            blocks.append(Block(start, start - k, x - start))
        x, y = before_x, before_x - before_k
    return blocks[::-1]


def _anchors(old: Sequence[int], new: Sequence[int]) -> list[Block]:
    """Starts of windows that occur once in both sequences: the longest run of them in the same order in both."""
    mine, theirs = _once(old), _once(new)
    pairs = sorted((at, theirs[window]) for window, at in mine.items() if window in theirs)
    tails, ends, before = list[int](), list[int](), list[int]()
    for index, (_, at) in enumerate(pairs):  # longest increasing subsequence, by patience sorting
        pile = bisect_left(tails, at)
        before.append(ends[pile - 1] if pile else -1)
        tails[pile : pile + 1] = [at]
        ends[pile : pile + 1] = [index]
    chain, index = list[Block](), ends[-1] if ends else -1
    while index >= 0:
        chain.append(Block(*pairs[index], 0))
        index = before[index]
    return chain[::-1]


def _once(ids: Sequence[int]) -> dict[tuple[int, ...], int]:
    """The windows that occur once in `ids`, with their offsets."""
    seen: dict[tuple[int, ...], int] = {}
    for at in range(len(ids) - WINDOW + 1):
        window = tuple(ids[at : at + WINDOW])
        seen[window] = -1 if window in seen else at
    return {window: at for window, at in seen.items() if at >= 0}
