"""Small constraints for tests of what works with any constraint."""

from collections.abc import Callable, Iterable

import numpy as np

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import permit
from guiderail.decoding.constraints.name_sets import Names


class AllowedAfter(Constraint):
    """Allows the tokens that a function names, given the tokens accepted so far.

    Parameters
    ----------
    tokens
        The allowed ids after the accepted ones.

    Attributes
    ----------
    taken
        The tokens that were accepted and not taken back.
    """

    def __init__(self, tokens: Callable[[list[int]], Iterable[int]]) -> None:
        self._tokens = tokens
        self.taken: list[int] = []

    def fill_mask(self, bitmask: np.ndarray) -> None:
        permit(bitmask, np.array(list(self._tokens(self.taken)), dtype=np.int64))

    def accept(self, token: int) -> None:
        self.taken.append(token)

    def rollback(self, tokens: int) -> None:
        del self.taken[len(self.taken) - tokens :]


class OneOf(Constraint):
    """One of some names, then anything.

    Parameters
    ----------
    names
        The legal names.
    token_bytes
        The exact bytes of every id.
    written
        The beginning of the name that is written already.
    """

    def __init__(self, names: Names, token_bytes: list[bytes], written: bytes = b"") -> None:
        self.names = names
        self.written = [written]
        self._token_bytes = token_bytes

    @property
    def is_satisfied(self) -> bool:
        return self.names.place(self.written[-1]) != "inside"

    def fill_mask(self, bitmask: np.ndarray) -> None:
        if not self.is_satisfied:
            bitmask &= self.names.mask(self.written[-1])

    def accept(self, token: int) -> None:
        self.written.append(self.written[-1] + self._token_bytes[token])

    def rollback(self, tokens: int) -> None:
        if tokens:
            del self.written[-tokens:]
