"""A trie of words as a table of letters, which finds the tokens of many names at once.

A list of thousands of names is walked letter by letter, all names at once: a few dozen operations on arrays instead of
some on each name. Words are ASCII; other names take the slower way (`identifier_trie`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from guiderail.decoding.constraints.mask_cache import Lists, ranges

LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CODE = np.zeros(256, dtype=np.uint8)
_CODE[np.frombuffer(LETTERS, dtype=np.uint8)] = np.arange(1, len(LETTERS) + 1)
_END = ord("\n")


class WordTrie:
    """A trie of the words in a vocabulary, as a table.

    Parameters
    ----------
    tokens
        The words that are tokens, with their ids.
    closers
        Ids of the tokens that finish a word and go on, by the word; each word is one of letters.
    """

    def __init__(self, tokens: Mapping[bytes, Sequence[int]], closers: Mapping[bytes, np.ndarray]) -> None:
        words = sorted({*tokens, *closers})
        self._next, ends = _table(words)
        self._tokens = _Lists(ends, [tokens.get(word, ()) for word in words], len(self._next))
        after = {word: ids.tolist() for word, ids in closers.items()}
        self._closers = _Lists(ends, [after.get(word, ()) for word in words], len(self._next))

    def lists(self, names: Sequence[str]) -> Lists | None:
        """The tokens that are on the way to each name, or finish it and go on.

        None if one of the names is no ASCII, or holds a line end; of what is no word otherwise there are none.
        """
        joined = "\n".join(names)
        if not joined.isascii() or joined.count("\n") != len(names) - 1:
            return None
        text = np.frombuffer(f"{joined}\n".encode(), dtype=np.uint8)
        ends = np.flatnonzero(text == _END)
        starts = np.concatenate(([0], ends[:-1] + 1))
        codes = _CODE[text]
        right = ends > starts
        right[np.searchsorted(ends, np.flatnonzero((codes == 0) & (text != _END)))] = False
        ids, owners = self._walked(codes, starts[right], ends[right], np.flatnonzero(right))
        order = np.argsort(owners, kind="stable")
        return ids[order], np.bincount(owners, minlength=len(names))

    def _walked(
        self, codes: np.ndarray, at: np.ndarray, ends: np.ndarray, owners: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The tokens on the way from `codes[at]` to the ends, and those that finish there, each with its owner."""
        nodes, found = np.zeros(len(at), dtype=np.int32), [(np.zeros(0, dtype=np.int64),) * 2]
        while len(at):
            nodes = self._next[nodes, codes[at]]
            alive = nodes > 0
            nodes, at, ends, owners = nodes[alive], at[alive] + 1, ends[alive], owners[alive]
            done = at == ends
            found += [self._tokens.of(nodes, owners), self._closers.of(nodes[done], owners[done])]
            nodes, at, ends, owners = nodes[~done], at[~done], ends[~done], owners[~done]
        return np.concatenate([ids for ids, _ in found]), np.concatenate([own for _, own in found])


class _Lists:
    """Lists of ids of some of the nodes, concatenated in one array."""

    def __init__(self, nodes: np.ndarray, lists: Sequence[Sequence[int]], count: int) -> None:
        counts = np.zeros(count + 1, dtype=np.int64)
        counts[nodes + 1] = [len(ids) for ids in lists]
        self._begin = np.cumsum(counts)
        # Most words have one id or none: making an array of each would take most of the time.
        parts = (lists[i] for i in np.argsort(nodes, kind="stable").tolist())
        self._ids = np.fromiter(chain.from_iterable(parts), dtype=np.int64, count=int(self._begin[-1]))

    def of(self, nodes: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all these nodes, each with the owner of its node."""
        begin, counts = self._begin[nodes], self._begin[nodes + 1] - self._begin[nodes]
        return self._ids[ranges(begin, counts)], np.repeat(owners, counts)


def _table(words: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The trie of sorted words: the next node (0 for none) by node and letter, and the node of each word.

    Letter by letter, of all words that have so many: what one long word takes is not taken for every other. Words of
    one node stand together, and a new node is where the node or the letter differs from that of the word before.
    """
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    text = _CODE[np.frombuffer(b"".join(words), dtype=np.uint8)].astype(np.int64)
    begin = np.cumsum(lengths) - lengths
    nodes, count = np.zeros(len(words), dtype=np.int64), 1
    steps = [np.zeros((0, 3), dtype=np.int64)]  # from a node by a letter to another
    alive = np.flatnonzero(lengths)
    for column in range(int(lengths.max(initial=0))):
        alive = alive[lengths[alive] > column]
        from_, letters = nodes[alive], text[begin[alive] + column]
        new = np.ones(len(alive), dtype=bool)
        new[1:] = (from_[1:] != from_[:-1]) | (letters[1:] != letters[:-1])
        nodes[alive] = count - 1 + np.cumsum(new)
        steps.append(np.stack((from_[new], letters[new], nodes[alive[new]]), axis=1))
        count += int(new.sum())
    table = np.zeros((count, len(LETTERS) + 1), dtype=np.int32)
    before, letters, after = np.concatenate(steps).T
    table[before, letters] = after
    return table, nodes
