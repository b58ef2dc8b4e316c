"""N-gram counts of a project's texts, kept exact under edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

# An id takes this many bits of a packed context; the largest vocabularies in use have 2**18 ids.
ID_BITS = 20
ORDERS = (1, 2, 3, 4, 5)
SLICE = 2000  # tokens, counted in about 10 ms

_Followers = dict[int, int]


class NgramCounts:
    """Counts of the followers of every context, for a few context lengths.

    A context of k ids is one integer: the ids side by side under a leading 1, so that no two contexts share a key.
    Most contexts have one follower, seen once; it is stored as a bare id, which halves the memory.

    Parameters
    ----------
    orders
        Context lengths that are counted, ascending; 0 is the empty context.
    """

    def __init__(self, orders: Sequence[int] = ORDERS) -> None:
        self.orders = tuple(orders)
        self._shapes = [(k, (1 << (ID_BITS * k)) - 1, 1 << (ID_BITS * k)) for k in self.orders]
        self._table: dict[int, int | _Followers] = {}
        self._texts: dict[str, list[int]] = {}
        # Texts that come or go: their ids, and how many of these count at the moment.
        self._moving: dict[str, tuple[list[int], int]] = {}

    def __len__(self) -> int:
        return len(self._table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NgramCounts) and self.orders == other.orders and self._table == other._table

    __hash__ = None  # type: ignore[assignment]

    @property
    def texts(self) -> Mapping[str, Sequence[int]]:
        """The ids of the counted texts by name, in the order in which they were first counted; not to be changed.

        A text that is counted anew is a new list.
        """
        return self._texts

    def holds(self, name: str) -> bool:
        """Whether any part of a text is counted."""
        return name in self._texts or name in self._moving

    def set_text(self, name: str, ids: Sequence[int]) -> None:
        """Count a text under a name, in place of what that name held; only what an edit changed is counted again."""
        old, new = self._texts.get(name, []), list(ids)
        head, tail = _same_ends(old, new)
        reach = self.orders[-1]  # an unchanged token after the edit has a changed context this far
        self.count(old, head, len(old) - tail + reach, sign=-1)
        self.count(new, head, len(new) - tail + reach)
        self._texts[name] = new

    def read_text(self, name: str, ids: Sequence[int]) -> Iterator[None]:
        """`set_text` in steps, `SLICE` tokens between two yields.

        Ended before its time, it leaves a part of the text counted; `read_text` and `forget_text` clear that up.
        """
        old, new = self._texts.get(name), list(ids)
        if old is not None and len(old) + len(new) - 2 * sum(_same_ends(old, new)) <= SLICE:
            self.set_text(name, new)
            return
        yield from self.forget_text(name)
        for done in range(0, len(new), SLICE):
            self.count(new, done, done + SLICE)
            self._moving[name] = new, min(done + SLICE, len(new))
            yield
        self._moving.pop(name, None)
        self._texts[name] = new

    def forget_text(self, name: str) -> Iterator[None]:
        """Remove the counts of a text, `SLICE` tokens between two yields."""
        if name in self._texts:
            ids = self._texts.pop(name)
            self._moving[name] = ids, len(ids)
        ids, done = self._moving.get(name, ([], 0))
        while done:
            begin = max(0, done - SLICE)
            self.count(ids, begin, done, sign=-1)
            self._moving[name] = ids, begin
            done = begin
            yield
        self._moving.pop(name, None)

    def discard_text(self, name: str) -> None:
        """Forget the text of this name, if there is one, at once."""
        for _ in self.forget_text(name):
            pass

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """A context without the counts of a text, if it is counted."""
        ids = self._texts.get(name)
        self.discard_text(name)
        try:
            yield
        finally:
            if ids is not None:
                self.set_text(name, ids)

    def count(self, ids: Sequence[int], start: int, end: int, *, sign: int = 1) -> None:
        """Count the tokens ids[start:end], each after its context in `ids`; with sign -1 take them back.

        Parameters
        ----------
        ids
            A whole text, so that the first counted tokens have their context.
        start, end
            Which of its tokens are counted; `end` may lie after the text.
        """
        reach = self.orders[-1]
        change = self._add if sign > 0 else self._take
        packed, window = 0, (1 << (ID_BITS * reach)) - 1
        for token in ids[max(0, start - reach) : start]:
            packed = packed << ID_BITS | token
        for i in range(start, min(end, len(ids))):
            token = ids[i]
            for length, mask, one in self._shapes:
                if length > i:
                    break
                change(packed & mask | one, token)
            packed = (packed << ID_BITS | token) & window

    def _add(self, key: int, token: int) -> None:
        table = self._table
        held = table.get(key)
        if held is None:
            table[key] = token
        elif type(held) is dict:
            held[token] = held.get(token, 0) + 1
        else:
            table[key] = {held: 2} if held == token else {held: 1, token: 1}  # type: ignore[dict-item]

    def _take(self, key: int, token: int) -> None:
        held = self._table[key]
        if type(held) is not dict:
            assert held == token
            del self._table[key]
            return
        held[token] -= 1
        if not held[token]:
            del held[token]
        if len(held) == 1:
            [(only, times)] = held.items()
            if times == 1:
                self._table[key] = only

    def followers(self, history: Sequence[int], order: int) -> Mapping[int, int]:
        """How often each token followed the last `order` ids of `history`; not to be changed."""
        if order > len(history):
            return {}
        key = 1
        for token in history[len(history) - order :]:
            key = key << ID_BITS | token
        held = self._table.get(key)
        if held is None:
            return {}
        return held if type(held) is dict else {held: 1}  # type: ignore[dict-item]


def _same_ends(old: Sequence[int], new: Sequence[int]) -> tuple[int, int]:
    """How many tokens at the beginning, and how many others at the end, are the same."""
    head = _common(old, new)
    return head, _common(old[head:][::-1], new[head:][::-1])


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
