"""A rival's mask, for comparison alone: a Python list over the vocabulary, made and looked up anew at every step.

Written from the description of monitors4codegen, the reference implementation of monitor-guided decoding: the forbidden
ids are collected in a list by looking at every token's text, and each id's score is then set by asking whether the list
holds it. That is vocabulary times list, and the reason why a constrained step there takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from guiderail.decoding.constraints.identifier_trie import identifier_length

SHARE = 50  # the look-up is timed for one id in so many, all over the list: the whole takes seconds


class PythonListMask:
    """The vocabulary as texts.

    Parameters
    ----------
    token_bytes
        The exact bytes of every id.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self._texts = [data.decode(errors="replace") for data in token_bytes]
        self._heads = [text[: identifier_length(text.encode())] for text in self._texts]

    def forbidden(self, rests: Sequence[str]) -> list[int]:
        """The ids that are no beginning of a legal rest, and none followed by what ends an identifier."""
        beginnings = {rest[:length] for rest in rests for length in range(1, len(rest) + 1)}
        whole = set(rests)
        return [
            index
            for index, (text, head) in enumerate(zip(self._texts, self._heads, strict=True))
            if text not in beginnings and not (head in whole and len(head) < len(text))
        ]

    def times(self, rests: Sequence[str]) -> tuple[float, float]:
        """Microseconds of making the list, and of asking it for every id (measured on a share, then multiplied)."""
        began = time.perf_counter()
        forbidden = self.forbidden(rests)
        made = time.perf_counter()
        found = [index in forbidden for index in range(0, len(self._texts), SHARE)]
        asked = time.perf_counter() - made
        return 1e6 * (made - began), 1e6 * asked * len(self._texts) / len(found)
