"""Follows a text byte by byte under constraints: what a server wrote is checked as masks of tokens would check it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import full_mask
from guiderail.decoding.constraints.typed_text import TypedText
from guiderail.remote.language import BYTE_VOCABULARY, END, LegalTexts, Node, Open, after_lead, tree
from guiderail.remote.server import Piece
from guiderail.remote.typed_first import TypedFirst


class Watcher(Protocol):
    """The monitors of one text, over the vocabulary of bytes (`guiderail.monitors.joint.JointMonitors`)."""

    @property
    def constraining(self) -> tuple[tuple[LegalTexts, bytes], ...]:
        """The texts that are legal here, each with what of it is written."""
        ...

    def penalty(self, tokens: Sequence[int]) -> float:
        """What is added to the score of what is legal and seldom meant."""
        ...


class ByteWalk:
    """A text so far, and the constraints on what may follow.

    Parameters
    ----------
    typed
        What must come first.
    may_indent
        Whether a blank may come after that.
    monitor
        The monitors, a `Constraint` too; None without.
    refused
        Called with the number of bytes before one that is illegal, before any is taken back.
    """

    def __init__(
        self,
        typed: bytes = b"",
        *,
        may_indent: bool = True,
        monitor: Watcher | None = None,
        refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        first = TypedText(BYTE_VOCABULARY, list(BYTE_VOCABULARY.token_bytes), typed, may_indent=may_indent)
        self._constraints: list[Constraint] = [] if first.is_satisfied else [first]
        if isinstance(monitor, Constraint):
            self._constraints.append(monitor)
        self._first = TypedFirst(typed, may_indent=may_indent)
        self._monitor = monitor
        self._refused = refused
        self._written = b""

    def required(self) -> Node | None:
        """What a server must be told before it writes: what comes first, as long as it has not been written."""
        return tree(self._constraining()) if self._first.place(self._written) == "inside" else None

    def take(self, data: bytes) -> int | None:
        """Accept a piece, or the end of the text if it has no bytes.

        If a byte of it is illegal none is accepted, and the number of that byte is returned.
        """
        for number, token in enumerate(data or [END]):
            if not self._admits(token):
                self._blame(token)
                self.give_back(number)
                return number
            if data:
                self._accept(token)
        return None

    def is_seldom(self, data: bytes) -> bool:
        """Whether monitors make a piece less likely."""
        return self._penalty(data) < 0

    def best(self, candidates: Sequence[Piece]) -> Piece | None:
        """The likeliest piece that is legal, if it is sure to be the likeliest of all there are.

        Parameters
        ----------
        candidates
            The likeliest pieces that there are, the likeliest first.
        """
        best, most = None, -math.inf
        for one in candidates:
            if one.logprob <= most:  # nor can those after it be better: penalties only lower
                return best
            if (score := one.logprob + self._penalty(one.data)) > most and self._is_legal(one.data):
                best, most = one, score
        return best if candidates and most >= candidates[-1].logprob else None

    def instead(self, data: bytes, number: int) -> Node | None:
        """What may come instead of a piece whose byte `number` is illegal.

        None if that cannot be said in characters: the piece begins inside one.
        """
        text = data.decode(errors="ignore")
        if data and not data.startswith(text.encode()[:1] or b"\0"):
            return None
        lead: list[tuple[str, Open]] = []
        for letter in data[:number].decode(errors="ignore"):
            lead.append((letter, self._constraining()))
            for byte in letter.encode():
                self._accept(byte)
        last = tree(self._constraining())
        if not text[len(lead) : len(lead) + 1].isascii():
            last.refused = text[len(lead)]
        self.give_back(sum(len(letter.encode()) for letter, _ in lead))
        return after_lead(lead, last)

    def _constraining(self) -> Open:
        first = ((self._first, self._written),) if self._first.place(self._written) == "inside" else ()
        return (*first, *(self._monitor.constraining if self._monitor else ()))

    def _penalty(self, data: bytes) -> float:
        return self._monitor.penalty(list(data) or [END]) if self._monitor else 0.0

    def _is_legal(self, data: bytes) -> bool:
        """Whether a piece is legal; nobody is told if not."""
        done = 0
        while done < len(data) and self._admits(data[done]):
            self._accept(data[done])
            done += 1
        self.give_back(done)
        return done == len(data) if data else self._admits(END)

    def _admits(self, token: int) -> bool:
        """Whether a byte, or the end, may come next."""
        for one in self._constraints:
            one.admits(token)  # makes some masks narrower
        return all(one.is_satisfied or _allows(one, token) for one in self._constraints)

    def _blame(self, token: int) -> None:
        """Tell those who forbid a byte."""
        for one in self._constraints:
            if not one.is_satisfied and not _allows(one, token):
                one.forbade(token)
        self._refused(len(self._written))

    def _accept(self, token: int) -> None:
        for one in self._constraints:
            one.accept(token)
        self._written += bytes([token])

    def give_back(self, count: int) -> None:
        """Take back the last bytes that were accepted."""
        for one in self._constraints:
            one.rollback(count)
        self._written = self._written[: len(self._written) - count]


def _allows(constraint: Constraint, token: int) -> bool:
    mask: np.ndarray = full_mask(END + 1)
    constraint.fill_mask(mask)
    return bool(mask[token >> 5] >> (token & 31) & 1)
