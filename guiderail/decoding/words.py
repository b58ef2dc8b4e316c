"""The tokens on the way to many words at once, found by walking a table of letters.

A list of thousands of names is walked letter by letter, all names abreast: a few dozen operations on arrays instead of
some on each name. Words are ASCII; other names take the slower way (`guiderail.decoding.trie`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CODE = np.zeros(256, dtype=np.uint8)
_CODE[np.frombuffer(LETTERS, dtype=np.uint8)] = np.arange(1, len(LETTERS) + 1)
_END = ord("\n")


class Words:
    """A trie of the words in a vocabulary, as a table.

    Parameters
    ----------
    tokens
        The words that are tokens, with their ids.
    closers
        Ids of the tokens that finish a word and go on, by the word; each word is one of letters.
    size
        Ids in the vocabulary.
    """

    def __init__(self, tokens: Mapping[bytes, Sequence[int]], closers: Mapping[bytes, np.ndarray], size: int) -> None:
        self._size = size
        words = sorted({*tokens, *closers})
        self._next, ends = _table(words)
        self._tokens = _Lists(ends, [tokens.get(word, ()) for word in words], len(self._next))
        self._closers = _Lists(ends, [closers.get(word, ()) for word in words], len(self._next))

    def mask(self, names: Sequence[str]) -> np.ndarray | None:
        """The tokens that are on the way to a name, or finish one and go on; packed int32 [ceil(size / 32)].

        None if one of the names is no ASCII, or holds a line end; what is no word otherwise is left out.
        """
        joined = "\n".join(names)
        if not joined.isascii() or joined.count("\n") != len(names) - 1:
            return None
        text = np.frombuffer(f"{joined}\n".encode(), dtype=np.uint8)
        ends = np.flatnonzero(text == _END)
        starts = np.concatenate(([0], ends[:-1] + 1))
        codes = _CODE[text]
        wrong = np.flatnonzero((codes == 0) & (text != _END))
        if len(wrong):
            right = np.ones(len(names), dtype=bool)
            right[np.searchsorted(ends, wrong)] = False
            starts, ends = starts[right], ends[right]
        flags = np.zeros(-(-self._size // 32) * 32, dtype=bool)
        flags[self._ids(codes, starts, ends)] = True
        return np.packbits(flags, bitorder="little").view(np.int32)

    def _ids(self, codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The tokens on the way to `codes[start:end]`, and those that finish it."""
        nodes, at = np.zeros(len(starts), dtype=np.int32), starts
        passed, finished = [], []
        while len(at):
            nodes = self._next[nodes, codes[at]]
            alive = nodes > 0
            nodes, at, ends = nodes[alive], at[alive] + 1, ends[alive]
            passed.append(nodes)
            done = at == ends
            finished.append(nodes[done])
            nodes, at, ends = nodes[~done], at[~done], ends[~done]
        if not passed:
            return np.zeros(0, dtype=np.int64)
        return np.concatenate((self._tokens.of(np.concatenate(passed)), self._closers.of(np.concatenate(finished))))


class _Lists:
    """A list of ids for some of the nodes, end to end in one array."""

    def __init__(self, nodes: np.ndarray, lists: Sequence[Sequence[int] | np.ndarray], count: int) -> None:
        counts = np.zeros(count + 1, dtype=np.int64)
        counts[nodes + 1] = [len(ids) for ids in lists]
        self._begin = np.cumsum(counts)
        order = np.argsort(nodes, kind="stable")
        parts = [np.asarray(lists[i], dtype=np.int64) for i in order]
        self._ids = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def of(self, nodes: np.ndarray) -> np.ndarray:
        """The ids of all these nodes."""
        begin, counts = self._begin[nodes], self._begin[nodes + 1] - self._begin[nodes]
        whole = counts > 0
        begin, counts = begin[whole], counts[whole]
        offsets = np.repeat(begin - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) if len(counts) else begin
        return self._ids[offsets + np.arange(len(offsets))]


def _table(words: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The trie of sorted words: the next node (0 for none) by node and letter, and the node of each word.

    Word by word and letter by letter, a node is new where a word's beginning differs from that of the word before.
    """
    if not words:
        return np.zeros((1, len(LETTERS) + 1), dtype=np.int32), np.zeros(0, dtype=np.int64)
    width = max(map(len, words))
    letters = _CODE[np.array(words, dtype=f"S{width}").view(np.uint8).reshape(len(words), width)]
    same = np.zeros_like(letters, dtype=bool)
    same[1:] = np.logical_and.accumulate(letters[1:] == letters[:-1], axis=1)
    new = (letters > 0) & ~same
    numbers = np.where(new, np.cumsum(new).reshape(new.shape), 0)
    nodes = np.maximum.accumulate(numbers, axis=0)
    before = np.concatenate((np.zeros((len(words), 1), dtype=nodes.dtype), nodes[:, :-1]), axis=1)
    table = np.zeros((int(numbers.max()) + 1, len(LETTERS) + 1), dtype=np.int32)
    table[before[new], letters[new]] = nodes[new]
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    return table, nodes[np.arange(len(words)), lengths - 1]
