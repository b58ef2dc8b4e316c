"""The vocabulary as a trie of bytes, which finds the tokens that fit a required text.

The trie is the sorted list of all tokens and, for each, its parent: the longest other token that it begins with. The
tokens that are prefixes of a text are then one node and its ancestors; those that begin with it are a range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np


class Vocabulary:
    """Ids sorted by their bytes.

    Parameters
    ----------
    token_bytes
        The exact bytes of every id; ids without bytes (special tokens) are never found.

    Attributes
    ----------
    ids
        int64, the id of each node; ids of equal bytes are nodes of their own, each the parent of the next.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self.token_bytes = token_bytes
        ranked = sorted((i for i, data in enumerate(token_bytes) if data), key=token_bytes.__getitem__)
        self._bytes = [token_bytes[i] for i in ranked]
        self.ids = np.array(ranked, dtype=np.int64)

    @cached_property
    def parents(self) -> list[int]:
        """The parent of each node, -1 for none."""
        parents: list[int] = []
        before = -1
        for node, data in enumerate(self._bytes):
            while before >= 0 and not data.startswith(self._bytes[before]):
                before = parents[before]
            parents.append(before)
            before = node
        return parents

    def longest_prefix(self, text: bytes) -> int:
        """The node of the longest token that `text` begins with, -1 if there is none; its ancestors are the others."""
        node = bisect_right(self._bytes, text) - 1
        while node >= 0 and not text.startswith(self._bytes[node]):
            node = self.parents[node]
        return node

    def compatible(self, required: bytes) -> np.ndarray:
        """Ids whose bytes are a prefix of `required`, or begin with it: exactly those that can lead to it."""
        start, end = self._beginning_with(required)
        nodes = []
        node = self.longest_prefix(required)
        while node >= 0:
            if node < start:
                nodes.append(node)
            node = self.parents[node]
        return np.concatenate((self.ids[start:end], self.ids[nodes]))

    def beginning_with(self, prefix: bytes) -> np.ndarray:
        """Ids whose bytes begin with `prefix`."""
        start, end = self._beginning_with(prefix)
        return self.ids[start:end]

    def _beginning_with(self, prefix: bytes) -> tuple[int, int]:
        """The range of nodes whose bytes begin with `prefix`."""
        # The first string that sorts after every string with this prefix.
        stem = prefix.rstrip(b"\xff")
        after = stem[:-1] + bytes([stem[-1] + 1]) if stem else None
        end = len(self._bytes) if after is None else bisect_left(self._bytes, after)
        return bisect_left(self._bytes, prefix), end
