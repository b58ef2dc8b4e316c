"""Token healing: a half-typed word before the cursor is decoded again as part of a whole word.

A word cut at the cursor is cut into tokens that the model never saw in whole words. So the word is taken out of the
prompt, and decoding must write it again first, in whatever tokens the model prefers, some of them reaching past the
cursor.

Where an indentation is as deep as it can get, no further blank may follow what was typed: models that join blanks into
one token are drawn to the longer ones.
"""

from __future__ import annotations

import numpy as np

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import forbid, permit
from guiderail.decoding.constraints.vocabulary import Vocabulary

_BLANKS = (b" ", b"\t")


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
    may_indent
        Whether a blank may come next.
    """

    def __init__(
        self, vocabulary: Vocabulary, token_bytes: list[bytes], typed: bytes, *, may_indent: bool = True
    ) -> None:
        self._vocabulary = vocabulary
        self._token_bytes = token_bytes
        self._may_indent = may_indent
        self._rest = [typed]
        self._ended = [may_indent and not typed]

    @property
    def key(self) -> tuple[bytes, bool]:
        """See `Constraint.key`."""
        return self._rest[0], self._may_indent

    @property
    def remaining(self) -> bytes:
        """The bytes that are still to be written."""
        return self._rest[-1]

    @property
    def is_satisfied(self) -> bool:
        """Whether all that was typed has been written, and something else where no blank may follow."""
        return self._ended[-1]

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Allow the tokens that are a part of what remains, or begin with all of it."""
        if self.is_satisfied:
            return
        if self.remaining:
            permit(bitmask, self._vocabulary.compatible(self.remaining))
        if not self._may_indent:
            for blank in _BLANKS:
                forbid(bitmask, self._vocabulary.beginning_with(self.remaining + blank))

    def accept(self, token: int) -> None:
        """Move on by one token."""
        data, rest = self._token_bytes[token], self.remaining
        self._rest.append(rest[len(data) :])
        self._ended.append(self._ended[-1] or (len(data) >= len(rest) if self._may_indent else len(data) > len(rest)))

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._rest[-tokens:], self._ended[-tokens:]
