"""The baseline that has learned nothing: an n-gram model of the context, and of the project if it may see it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from guiderail.decoding.stages.ngram_counts import NgramCounts

ORDERS = (0, 1, 2, 3, 4, 5)
LONGEST_WORD = re.compile(r" ?\w*\Z")


class NgramModel:
    """Interpolated n-grams (PPM's method C, Moffat 1990), adapting to the text as it is read: a copy of the context.

    The probability at order k is (c(token) + d p(k-1)) / (c + d) for a context seen c times with d different
    followers; below order 0 all tokens are equal.

    Parameters
    ----------
    counts
        What it has seen beforehand, with `ORDERS`; changed while a text is read, and restored after it.
    token_bytes
        The bytes of every id.
    """

    def __init__(self, counts: NgramCounts, token_bytes: Sequence[bytes]) -> None:
        self._counts = counts
        self._token_bytes = token_bytes

    def bits(self, ids: Sequence[int]) -> float:
        """What a text costs, each token read before the next is asked for."""
        total, read = 0.0, 0
        try:
            for i, token in enumerate(ids):
                total -= math.log2(self.probability(ids[max(0, i - ORDERS[-1]) : i], token))
                self._counts.count(ids, i, i + 1)
                read += 1
        finally:
            self._counts.count(ids, 0, read, sign=-1)
        return total

    def probability(self, history: Sequence[int], token: int) -> float:
        """Of `token` after `history`."""
        p, rest = 0.0, 1.0
        for order in reversed(self._counts.orders):
            followers = self._counts.followers(history, order)
            if followers:
                total, kinds = sum(followers.values()), len(followers)
                p += rest * followers.get(token, 0) / (total + kinds)
                rest *= kinds / (total + kinds)
        return p + rest / len(self._token_bytes)

    def complete(
        self, prefix: Sequence[int], suffix: Sequence[int], typed: bytes, *, max_tokens: int
    ) -> tuple[bytes, int]:
        """Greedy text after `prefix`, up to and with the first newline, and the number of its tokens.

        Parameters
        ----------
        prefix, suffix
            The context, all of which is counted first.
        typed
            What the text must begin with; it is not returned.
        max_tokens
            Tokens at most.
        """
        history, written = list(prefix), b""
        with self._reading(prefix, suffix):
            for _ in range(max_tokens):
                token = self._likeliest(history, typed[len(written) :])
                if token is None:
                    break
                history.append(token)
                written += self._token_bytes[token]
                if b"\n" in written[len(typed) :]:
                    break
        return written[len(typed) :], len(history) - len(prefix)

    def _likeliest(self, history: Sequence[int], required: bytes) -> int | None:
        """The likeliest known token that fits what must come next, the lowest id of several; None if there is none."""
        scores: dict[int, float] = {}
        rest = 1.0
        for order in reversed(self._counts.orders):
            followers = self._counts.followers(history, order)
            if not followers:
                continue
            unit = rest / (sum(followers.values()) + len(followers))
            for token, times in followers.items():
                scores[token] = scores.get(token, 0.0) + unit * times
            rest = unit * len(followers)
            fitting = [token for token in scores if self._fits(token, required)]
            if fitting and max(scores[token] for token in fitting) > rest:
                break
        fitting = [token for token in scores if self._fits(token, required)]
        return min(fitting, key=lambda token: (-scores[token], token), default=None)

    def _fits(self, token: int, required: bytes) -> bool:
        data = self._token_bytes[token]
        return bool(data) and (data.startswith(required) or required.startswith(data))

    @contextmanager
    def _reading(self, *texts: Sequence[int]) -> Iterator[None]:
        for text in texts:
            self._counts.count(text, 0, len(text))
        try:
            yield
        finally:
            for text in texts:
                self._counts.count(text, 0, len(text), sign=-1)


def half_typed(prefix: str) -> str:
    """The word that ends at the cursor, with the space before it; "" where none is being typed."""
    found = LONGEST_WORD.search(prefix)
    word = found.group() if found else ""
    return word if word.strip() else ""
