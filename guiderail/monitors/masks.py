"""The masks over one vocabulary that the monitors share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.literal_set import LiteralSet
from guiderail.decoding.constraints.masks import pack
from guiderail.decoding.constraints.name_sets import Names, NamesOrNew, NamesOrNone, NoneOf
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.lru import LruCache
from guiderail.model.garbage import gc_paused

KEPT = 128
KEPT_LEADS = 32
_Kept = TypeVar("_Kept")


class Masks:
    """Makes masks of names, and caches them: the same lists recur.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        # Some tens of milliseconds that the first request should not wait for.
        worker = ThreadPoolExecutor(1, "guiderail-trie")
        self._trie = worker.submit(self._made, vocabulary)
        worker.shutdown(wait=False)
        self._kept: LruCache[Hashable, object] = LruCache(KEPT)
        self._leads: LruCache[bytes, Lead] = LruCache(KEPT_LEADS)

    @staticmethod
    def _made(vocabulary: Vocabulary) -> IdentifierTrie:
        with gc_paused():
            return IdentifierTrie(vocabulary).warm()

    @property
    def token_bytes(self) -> Sequence[bytes]:
        """The exact bytes of every id."""
        return self.vocabulary.token_bytes

    @property
    def trie(self) -> IdentifierTrie:
        """The vocabulary prepared for names."""
        return self._trie.result()

    def trie_with(self, extra: str) -> IdentifierTrie:
        """The vocabulary prepared for names that may hold further characters; made when first wanted."""
        return (
            self.keep((IdentifierTrie, extra), lambda: IdentifierTrie(self.vocabulary, extra)) if extra else self.trie
        )

    def names(self, names: frozenset[str], tail: str = "", *, extra: str = "") -> Names:
        """The texts that begin with one of some names.

        Parameters
        ----------
        names
            The legal names.
        tail
            The letters after the cursor.
        extra
            Characters of names beside Unicode's.
        """
        return self.keep((Names, names, tail, extra), lambda: Names(self.trie_with(extra), names, tail))

    def names_or_new(
        self, names: frozenset[str], tail: str = "", *, extra: str = "", barred: frozenset[str] = frozenset()
    ) -> NamesOrNew:
        """The texts that begin with one of some names, or with a new one that is not barred."""
        key = NamesOrNew, names, tail, extra, barred
        return self.keep(key, lambda: NamesOrNew(self.trie_with(extra), names, tail, barred))

    def names_or_none(self, names: frozenset[str], tail: str = "", *, extra: str = "") -> NamesOrNone:
        """The texts that begin with one of some names, or with no name."""
        return self.keep((NamesOrNone, names, tail, extra), lambda: NamesOrNone(self.trie_with(extra), names, tail))

    def none_of(self, names: frozenset[str], tail: str = "") -> NoneOf:
        """The texts that do not begin with one of some names."""
        return self.keep((NoneOf, names, tail), lambda: NoneOf(self.trie, names, tail))

    def texts(self, texts: frozenset[str]) -> LiteralSet:
        """The texts that begin with one of some texts."""
        return self.keep((LiteralSet, texts), lambda: LiteralSet(self.vocabulary, texts))

    def keep(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """The cached value of `key`, made now if there is none."""
        return self._kept.get(key, make)  # pyright: ignore[reportReturnType]  # what `make` of this key made

    def lead(self, lead: bytes) -> Lead:
        """The tokens that begin with some bytes and go on."""
        return self._leads.get(lead, lambda: Lead(self.vocabulary, lead))


class Lead(Masks):
    """The tokens that begin with a lead and go on, without it: what a trigger inside a token constrains.

    Parameters
    ----------
    vocabulary
        All tokens.
    lead
        What they begin with.
    """

    def __init__(self, vocabulary: Vocabulary, lead: bytes) -> None:
        table = vocabulary.token_bytes
        rests = [data[len(lead) :] if data.startswith(lead) else b"" for data in table]
        super().__init__(Vocabulary(rests))
        self._others = ~pack([i for i, rest in enumerate(rests) if rest], len(table))

    def widened(self, mask: np.ndarray) -> np.ndarray:
        """A mask of this vocabulary, with all tokens allowed that do not begin with the lead."""
        return mask | self._others
