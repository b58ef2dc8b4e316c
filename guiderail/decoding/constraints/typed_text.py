"""Token healing: a half-typed word before the cursor is decoded again as part of a whole word.

A word cut at the cursor is cut into tokens that the model never saw in whole words. So the word is taken out of the
prompt, and decoding must write it again first, in whatever tokens the model prefers, some of them reaching past the
cursor.
"""

from __future__ import annotations

import numpy as np

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import permit
from guiderail.decoding.constraints.vocabulary import Vocabulary


class TypedText(Constraint):
    """Decoding must reproduce the typed text first.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    token_bytes
        The exact bytes of every id.
    typed
        The bytes that must come first.
    """

    def __init__(self, vocabulary: Vocabulary, token_bytes: list[bytes], typed: bytes) -> None:
        self._vocabulary = vocabulary
        self._token_bytes = token_bytes
        self._rest = [typed]

    @property
    def key(self) -> bytes:
        """See `Constraint.key`."""
        return self._rest[0]

    @property
    def remaining(self) -> bytes:
        """The bytes that are still to be written."""
        return self._rest[-1]

    @property
    def is_satisfied(self) -> bool:
        """Whether all that was typed has been written."""
        return not self._rest[-1]

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Allow the tokens that are a part of what remains, or begin with all of it."""
        if not self.is_satisfied:
            permit(bitmask, self._vocabulary.compatible(self._rest[-1]))

    def accept(self, token: int) -> None:
        """Move on by one token."""
        self._rest.append(self._rest[-1][len(self._token_bytes[token]) :])

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._rest[-tokens:]
