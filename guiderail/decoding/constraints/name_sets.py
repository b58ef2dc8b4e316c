"""Sets of names as masks: one of the names, one of them or a new one, one of them if any, none of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal

import numpy as np

from guiderail.decoding.constraints.identifier_trie import IdentifierTrie, begins_name, follows, identifier_length

_PLAIN = re.compile(r"\w++(?:\n\w++)*+", re.ASCII)
Place = Literal["inside", "past", "lost"]


class Names:
    """The texts that begin with one of some names, as masks; immutable, so one serves all decoding at a place.

    Parameters
    ----------
    trie
        The vocabulary.
    names
        The legal names; what is no identifier is left out.
    tail
        The rest of an identifier after the cursor, which the text, ending there, would run into.
    """

    def __init__(self, trie: IdentifierTrie, names: Iterable[str], tail: str = "") -> None:
        self._trie = trie
        self._given = [name for name in names if name]
        self._tail = tail.encode()
        self._masks: dict[bytes, np.ndarray] = {}

    @cached_property
    def _names(self) -> list[bytes]:
        extra = self._trie.extra
        joined = "\n".join(sorted(set(self._given)))
        if _PLAIN.fullmatch(joined):
            return joined.encode().split(b"\n")
        encoded = {name.encode() for name in self._given}
        return sorted(name for name in encoded if identifier_length(name, extra) == len(name))

    @cached_property
    def _ends(self) -> set[bytes]:
        """The texts that may end here: names without the rest that is after the cursor."""
        return {name.removesuffix(self._tail) for name in self._names if name.endswith(self._tail)}

    def __len__(self) -> int:
        return len(self._names)

    def place(self, written: bytes) -> Place:
        """Whether a text is inside a name, past one, or leads to no legal text (lost).

        After half a character the text is still inside: it may turn out to lengthen the name.
        """
        if not written and any(map(self._is_name, self._given)):  # as a rule the first is one; nothing is sorted yet
            return "inside"
        start = bisect_left(self._names, written)
        if start < len(self._names) and self._names[start].startswith(written):
            return "inside"
        length = identifier_length(written, self._trie.extra)
        start = bisect_left(self._names, written[:length])
        rest = written[length:]
        if self._names[start : start + 1] != [written[:length]] or not rest or not follows(rest, self._trie.extra):
            return "lost"
        return "past" if _begins_whole(rest) else "inside"

    def mask(self, written: bytes) -> np.ndarray:
        """The tokens that may follow `written`, a text that is inside."""
        mask = self._masks.get(written)
        if mask is None:
            mask = self._masks[written] = self._made(written)
        return mask

    def _is_name(self, name: str) -> bool:
        data = name.encode()
        return identifier_length(data, self._trie.extra) == len(data)

    def rests(self, written: bytes, most: int) -> list[bytes]:
        """The remainders of the names that begin with `written`; none if they are more than `most`."""
        start, end = bisect_left(self._names, written), bisect_left(self._names, written + b"\xff")
        return [name[len(written) :] for name in self._names[start:end]] if end - start <= most else []

    def _made(self, written: bytes) -> np.ndarray:
        if not written and not (self._tail and b"" in self._ends):
            return self._trie.mask_of_names(self._given)
        if not _is_whole(written):
            fitting = [i for i, data in self._trie.splinters if self.place(written + data) != "lost"]
            return self._trie.pack(fitting)
        return self._trie.mask(self._rests(written), may_end=written in self._ends)

    def _rests(self, written: bytes) -> Iterator[bytes]:
        """The remainders of the names that begin with `written`."""
        # No byte of UTF-8 is 0xff, so this is after all that begins with the text.
        start, end = bisect_left(self._names, written), bisect_left(self._names, written + b"\xff")
        return (name[len(written) :] for name in self._names[start:end])


class NamesOrNew(Names):
    """The texts that begin with one of some names, or with another name that is not used (`identifier_trie.USES`).

    Where a statement may define a member any name is legal; but what is called, indexed or dereferenced must exist.

    Parameters
    ----------
    trie, names, tail
        As for `Names`.
    barred
        What is no name for something new, such as keywords; the text may go on from it to a longer name.
    """

    def __init__(
        self, trie: IdentifierTrie, names: Iterable[str], tail: str = "", barred: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(trie, names, tail)
        self._barred = sorted(name.encode() for name in barred.difference(self._given))

    def place(self, written: bytes) -> Place:
        """ "inside" a name or "past" it; "lost" after one that is barred."""
        length = identifier_length(written, self._trie.extra)
        if length == len(written):
            return "inside"
        return "lost" if written[:length] in self._barred else "past"

    def _made(self, written: bytes) -> np.ndarray:
        rests = [name[len(written) :] for name in self._barred if name.startswith(written)]
        barred = self._trie.mask_of_ends(rests, may_end=written in self._barred)
        return self._trie.mask_of_uses(self._rests(written)) & ~barred


class NamesOrNone(Names):
    """The texts that begin with one of some names, or with no name at all: what begins like a name must be one."""

    def place(self, written: bytes) -> Place:
        """As `Names.place`; a text that does not begin like a name is "past"."""
        if written and not begins_name(written, self._trie.extra):
            return "past"
        return super().place(written)

    def _made(self, written: bytes) -> np.ndarray:
        mask = super()._made(written)
        return mask | self._trie.nameless if not written else mask


class NoneOf(Names):
    """The texts that do not begin with one of some names; none ends within a character."""

    def place(self, written: bytes) -> Place:
        """Inside a name that may still be one of them; past another one; lost after one of them."""
        place = super().place(written)
        if place == "inside":
            return "inside"
        return "lost" if place == "past" else "past"

    def _made(self, written: bytes) -> np.ndarray:
        if not _is_whole(written):
            fitting = [i for i, data in self._trie.splinters if super(NoneOf, self).place(written + data) == "past"]
            return ~(self._trie.pack(fitting) | self._trie.enders)
        # An empty text is always legal, whatever follows the cursor.
        may_end = bool(written) and written in self._ends
        return ~self._trie.mask_of_ends(self._rests(written), may_end=may_end)


def _is_whole(data: bytes) -> bool:
    """Whether bytes that begin valid UTF-8 end with a whole character."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _begins_whole(data: bytes) -> bool:
    return bool(data.decode(errors="ignore"))
