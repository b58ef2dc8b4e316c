"""Selects the tokens that a patch recomputes: the change, and what most likely depends on it.

PIE (arXiv 2407.03157) encodes what is new and nothing else, and so still answers with the old name after a rename: the
keys and values of the tokens after a change, and of the later uses of a changed name, depend on the old text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guiderail.cache.diff import Block

WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]+")
# Tokens of a line, from its end, that count as the line before a special token.
LONGEST_LINE = 32


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a patch computes beyond the new tokens.

    Parameters
    ----------
    halo
        Tokens to the right of every change.
    near
        Tokens at the end: what the next token attends to most (measured: `guiderail eval pie`).
    tail
        Tokens at most of the lines that end in a special token (the cursor's line before its mark) and of the
        last line; at least the last token is always run.
    uses
        Tokens at most where a changed name is used.
    deviating
        Tokens at most whose values deviate most after the first layer (CacheBlend's score); costs one layer of the
        whole rest.
    """

    halo: int = 16
    near: int = 256
    tail: int = 48
    uses: int = 64
    deviating: int = 0


# What the paper does: the new tokens, and the last one for its scores.
PIE = Effort(halo=0, near=0, tail=1, uses=0, deviating=0)


@dataclass(frozen=True, slots=True)
class Hunk:
    """A change between two blocks: tokens old_start:old_end became new_start:new_end."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def hunks(blocks: Sequence[Block], old_length: int, new_length: int) -> list[Hunk]:
    """The changes between the blocks, in order."""
    found, old_at, new_at = list[Hunk](), 0, 0
    for block in [*blocks, Block(old_length, new_length, 0)]:
        if block.old > old_at or block.new > new_at:
            found.append(Hunk(old_at, block.old, new_at, block.new))
        old_at, new_at = block.old + block.length, block.new + block.length
    return found


def chosen(
    old: Sequence[int],
    new: Sequence[int],
    blocks: Sequence[Block],
    effort: Effort,
    token_bytes: Sequence[bytes] | None,
) -> set[int]:
    """Indices of the new sequence that a patch computes, but for the deviating ones.

    Parameters
    ----------
    old, new
        Token ids; an old id may be -1 (a token without keys and values).
    blocks
        What is kept.
    effort
        How much beyond the new tokens.
    token_bytes
        The bytes of every id, b"" for a special token; without them there are no lines and no names.
    """
    changes = hunks(blocks, len(old), len(new))
    picked = {i for change in changes for i in range(change.new_start, change.new_end)}
    if not changes:
        return picked | {len(new) - 1}
    first = changes[0].new_start
    for change in changes:
        picked.update(range(change.new_end, min(change.new_end + effort.halo, len(new))))
    picked.update(range(max(first, len(new) - max(effort.near, 1)), len(new)))
    if token_bytes is None:
        return picked
    picked.update(_tail(new, first, effort.tail, token_bytes))
    if effort.uses:
        cursor = cursor_in(new, token_bytes)
        picked.update(_uses(_Text(old, token_bytes), _Text(new, token_bytes), changes, cursor, effort.uses, picked))
    return picked


def _tail(new: Sequence[int], first: int, limit: int, token_bytes: Sequence[bytes]) -> Iterator[int]:
    """The last line, and the lines that end in a special token, from the end backwards; not before `first`."""
    yield len(new) - 1
    left, run = limit - 1, LONGEST_LINE
    for index in range(len(new) - 2, first - 1, -1):
        data = token_bytes[new[index]]
        run = LONGEST_LINE if not data else 0 if b"\n" in data else run - 1
        if left <= 0:
            return
        if run > 0:
            left -= 1
            yield index


class _Text:
    """The bytes of a sequence, and which token each belongs to."""

    def __init__(self, ids: Sequence[int], token_bytes: Sequence[bytes]) -> None:
        self.starts, pieces, at = list[int](), list[bytes](), 0
        for token in ids:
            piece = (token_bytes[token] or b"\n") if token >= 0 else b""  # a special token parts words and lines
            self.starts.append(at)
            pieces.append(piece)
            at += len(piece)
        self.starts.append(at)
        self.data = b"".join(pieces)

    def lines(self, start: int, end: int) -> bytes:
        """The lines that the tokens start:end touch."""
        first = self.data.rfind(b"\n", 0, self.starts[start]) + 1
        last = self.data.find(b"\n", max(self.starts[end] - 1, self.starts[start]))
        return self.data[first : len(self.data) if last < 0 else last]

    def tokens(self, start: int, end: int) -> range:
        """The tokens of the bytes start:end, and one more."""
        return range(bisect_right(self.starts, start) - 1, min(bisect_left(self.starts, end) + 1, len(self.starts) - 1))


def _uses(old: _Text, new: _Text, changes: Sequence[Hunk], cursor: int, limit: int, picked: set[int]) -> set[int]:
    """Tokens of the uses, after a change, of names that it added or removed, then of the other names in its lines.

    Of each kind the uses nearest to the cursor (a token) come first.
    """
    found: dict[int, None] = {}
    at = new.starts[cursor]
    for certain in (True, False):
        places = {
            match.span()
            for change in changes
            for match in _matches(new, change.new_end, _names(old, new, change, certain=certain))
        }
        for start, end in sorted(places, key=lambda span: abs(span[0] - at)):
            tokens = [t for t in new.tokens(start, end) if t not in picked and t not in found]
            if len(found) + len(tokens) > limit:
                return set(found)
            found.update(dict.fromkeys(tokens))
    return set(found)


def _names(old: _Text, new: _Text, change: Hunk, *, certain: bool) -> set[bytes]:
    """Names that the change added to its lines or removed from them (`certain`), or the others there."""
    before = set(WORD.findall(old.lines(change.old_start, change.old_end)))
    after = set(WORD.findall(new.lines(change.new_start, change.new_end)))
    return before ^ after if certain else before & after


def _matches(text: _Text, start: int, names: set[bytes]) -> Iterator[re.Match[bytes]]:
    return (m for m in WORD.finditer(text.data, text.starts[start]) if m.group() in names) if names else iter(())


def changed_roles(old: Sequence[int], new: Sequence[int], blocks: Sequence[Block], token_bytes: Sequence[bytes]) -> int:
    """Kept tokens whose last special token is another one now: text that the cursor moved across."""
    before, now = _roles(old, token_bytes), _roles(new, token_bytes)
    return sum(before[b.old + i] != now[b.new + i] for b in blocks for i in range(b.length))


def _roles(ids: Sequence[int], token_bytes: Sequence[bytes]) -> list[int]:
    """The last special token at or before each token; -2 if there is none."""
    roles, role = list[int](), -2
    for token in ids:
        if token >= 0 and not token_bytes[token]:
            role = token
        roles.append(role)
    return roles


def cursor_in(ids: Sequence[int], token_bytes: Sequence[bytes]) -> int:
    """The cursor's index: the end, or, where a mark ends the prompt, the last mark before it."""
    if not ids or token_bytes[ids[-1]]:
        return len(ids)
    return next((i for i in range(len(ids) - 2, -1, -1) if not token_bytes[ids[i]]), len(ids))
