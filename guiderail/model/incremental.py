"""The tokens of a text that is being edited.

The text is kept in segments, cut where cutting is proved to change nothing (`guiderail.model.cuts`; about one
segment a line). An edit re-tokenises from the last old cut before it that still is one to the first old cut
after it that still is one; all other tokens are kept. The ids are those of a full tokenisation, always.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guiderail.model.tokenizer import Tokenizer
    from guiderail.text.edit import Edit


class TokenizedDocument:
    """A text and its ids, kept together through edits.

    Parameters
    ----------
    tokenizer
        Where it knows no safe cuts, every edit re-tokenises the whole text.
    text
        The text to begin with.

    Attributes
    ----------
    text
        The text now.
    ids
        ``tokenizer.encode(text)``.
    encoded
        How many characters have been tokenised so far: what the work is measured in.
    """

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        self._tokenizer = tokenizer
        self.text = text
        self.encoded = 0
        self._starts: list[int] = []  # where each segment begins, in characters
        self._firsts: list[int] = []  # its first token's place in ids
        self.ids: list[int] = []
        self._splice(0, 0, 0, len(text))

    def apply(self, edit: Edit) -> None:
        """Change the text and its ids.

        Raises
        ------
        ValueError
            If the edit reaches after the end of the text.
        UnencodableTextError
            If it writes a lone surrogate; the document is then as it was.
        """
        old, new = self.text, edit.apply(self.text)
        shift = len(new) - len(old)
        self.text = new
        first = self._first_changed(edit.start)
        after = self._first_kept(edit.end, shift)
        begin = self._starts[first] if first < len(self._starts) else 0
        end = self._starts[after] + shift if after < len(self._starts) else len(new)
        try:
            self._splice(first, after, begin, end, shift)
        except Exception:
            self.text = old
            raise

    def _first_changed(self, start: int) -> int:
        """The segment from which to tokenise again: it begins at a cut in the old and in the new text."""
        index = max(bisect_right(self._starts, start) - 1, 0)
        while index > 0 and not self._is_cut(self._starts[index]):
            index -= 1
        return index

    def _first_kept(self, end: int, shift: int) -> int:
        """The first segment after the edit that begins at a cut in the old and in the new text."""
        index = bisect_left(self._starts, end)
        while index < len(self._starts) and not self._is_cut(self._starts[index] + shift):
            index += 1
        return index

    def _is_cut(self, offset: int) -> bool:
        cuts = self._tokenizer.cuts
        return cuts is not None and offset > 0 and cuts.match(self.text, offset) is not None

    def _splice(self, first: int, after: int, begin: int, end: int, shift: int = 0) -> None:
        """Replace the segments from `first` to `after` by those of ``text[begin:end]``."""
        starts = list(self._cuts_between(begin, end))
        parts = [self._tokenizer.encode(self.text[a:b]) for a, b in pairwise([*starts, end])]
        kept = self._firsts[after] if after < len(self._firsts) else len(self.ids)
        place = self._firsts[first] if first < len(self._firsts) else len(self.ids)
        firsts, ids = [], []
        for part in parts:
            firsts.append(place + len(ids))
            ids += part
        moved = place + len(ids) - kept
        self.encoded += end - begin
        self.ids[place:kept] = ids
        self._starts[first:] = [*starts, *(start + shift for start in self._starts[after:])]
        self._firsts[first:] = [*firsts, *(index + moved for index in self._firsts[after:])]

    def _cuts_between(self, begin: int, end: int) -> Iterator[int]:
        """`begin`, and the cuts after it and before `end`; nothing for an empty range."""
        if begin < end:
            yield begin
        if self._tokenizer.cuts is not None:
            for match in self._tokenizer.cuts.finditer(self.text, begin + 1):
                if match.start() >= end:
                    return
                yield match.start()
