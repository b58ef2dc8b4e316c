"""The tokens of texts of which most lines were seen before.

From key stroke to key stroke a prompt differs in a line or two. A text is cut where the parts may be tokenised apart
(`guiderail.model.cuts`; about one part a line), and the ids of parts are remembered: of 8,000 tokens it takes 1 ms
instead of 14. The ids are those of a full tokenisation, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from guiderail.errors import GuiderailError

LINES = 8192  # that are remembered
LONGEST = 200  # characters; a longer part is tokenised anew, so that what is remembered stays small


class LineTokens:
    """Tokenises texts by parts, and remembers those.

    Parameters
    ----------
    encode
        The ids of a text.
    cuts
        Where texts may be cut; None where that is not known, and then nothing is remembered.
    """

    def __init__(self, encode: Callable[[str], list[int]], cuts: re.Pattern[str] | None) -> None:
        self._encode = encode
        self._cuts = cuts
        self._remembered = lru_cache(LINES)(lambda part: tuple(encode(part)))

    def encode(self, text: str) -> list[int]:
        """``encode(text)``; raises what that raises."""
        try:
            return [token for part in self._parts(text) for token in self._part(part)]
        except GuiderailError:  # a part that cannot be encoded: the error is to name a place in the whole text
            return self._encode(text)

    def _part(self, part: str) -> Sequence[int]:
        return self._remembered(part) if len(part) <= LONGEST else self._encode(part)

    def _parts(self, text: str) -> Iterator[str]:
        if self._cuts is None:
            return iter([text])
        cuts = (match.start() for match in self._cuts.finditer(text, 1))
        return (text[begin:end] for begin, end in pairwise([0, *cuts, len(text)]))
