"""Follows a text byte by byte under constraints: what a server wrote is checked as masks of tokens would have done it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import full_mask
from guiderail.remote.language import END, Node, Open, after_lead, tree


class ByteWalk:
    """A text so far, and the constraints on what may follow.

    Parameters
    ----------
    constraints
        Constraints over the vocabulary of bytes (`language.BYTE_VOCABULARY`).
    constraining
        The legal texts at the place that was reached.
    """

    def __init__(self, constraints: Sequence[Constraint], constraining: Callable[[], Open] = tuple) -> None:
        self._constraints = constraints
        self._constraining = constraining
        self.length = 0  # bytes that were accepted

    def take(self, data: bytes) -> int | None:
        """Accept a piece; if a byte of it is illegal none is accepted, and the number of that byte is returned."""
        for number, byte in enumerate(data):
            if not self._may(byte):
                self._back(number)
                return number
            self._accept(byte)
        return None

    def may_end(self) -> bool:
        """Whether the text may end here."""
        return self._may(END)

    def at_end(self) -> Node:
        """What may come at the end of the text."""
        return tree(self._constraining())

    def instead(self, data: bytes, number: int) -> Node | None:
        """What may come instead of a piece whose byte `number` is illegal.

        None if that cannot be said in characters: the piece begins inside one.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            if error.start == 0:
                return None
            text = data[: error.start].decode()
        lead: list[tuple[str, Open]] = []
        for letter in data[:number].decode(errors="ignore"):
            lead.append((letter, self._constraining()))
            for byte in letter.encode():
                self._accept(byte)
        last = tree(self._constraining())
        if not text[len(lead) : len(lead) + 1].isascii():
            last.refused = text[len(lead)]
        self._back(sum(len(letter.encode()) for letter, _ in lead))
        return after_lead(lead, last)

    def _may(self, token: int) -> bool:
        """Whether a byte, or the end, may come next; constraints that forbid it are told."""
        admitted = all([one.admits(token) for one in self._constraints])  # every one is asked
        refusing = [one for one in self._constraints if not one.is_satisfied and not _allows(one, token)]
        for one in refusing:
            one.forbade(token)
        return admitted and not refusing

    def _accept(self, token: int) -> None:
        for one in self._constraints:
            one.accept(token)
        self.length += 1

    def _back(self, tokens: int) -> None:
        for one in self._constraints:
            one.rollback(tokens)
        self.length -= tokens


def _allows(constraint: Constraint, token: int) -> bool:
    mask: np.ndarray = full_mask(END + 1)
    constraint.fill_mask(mask)
    return bool(mask[token >> 5] >> (token & 31) & 1)
