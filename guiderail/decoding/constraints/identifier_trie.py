"""Masks over identifiers, found on the vocabulary's trie.

After a dot only some names are legal, and after such a name anything that does not lengthen it. A token then fits
in one of two ways: its bytes are a part of a legal name, or they finish one and go on with something else, as in
``append(``. Both are found from the name's side: the tokens that are prefixes of a name are one node of the trie and
its ancestors, and the tokens that finish a name are listed under what they finish it with.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache, cached_property, lru_cache
from itertools import chain

import numpy as np

from guiderail.decoding.constraints.mask_cache import Lists, MaskCache
from guiderail.decoding.constraints.masks import add, pack
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.constraints.word_trie import WordTrie

USES = frozenset(b"(.[")  # after a name these use its value, which a name that is only being defined does not have
MANY = 150  # new names from which on walking all of them at once is faster
_ASCII_WORD = re.compile(rb"[0-9A-Za-z_]*")
_SURROGATES = range(0xD800, 0xE000)
CONTINUATION = range(0x80, 0xC0)  # bytes of UTF-8 that do not begin a character


class IdentifierTrie:
    """A vocabulary prepared for masks over identifiers.

    Parameters
    ----------
    vocabulary
        The tokens by their bytes; ids without bytes end the text.
    extra
        Characters of identifiers beside Unicode's XID_Continue, such as ``$``.

    Attributes
    ----------
    splinters
        Tokens that begin inside a character: only after half a character can they fit.
    enders
        The ids that end the text; packed as `mask`.
    """

    def __init__(self, vocabulary: Vocabulary, extra: str = "") -> None:
        self.vocabulary = vocabulary
        self.extra = extra
        table = vocabulary.token_bytes
        self.splinters = [(i, data) for i, data in enumerate(table) if data and data[0] in CONTINUATION]
        heads = _by_head(table, extra)
        self._users = {
            head: np.array(users, dtype=np.int64)
            for head, ids in heads.items()
            if (users := [i for i in ids if table[i][len(head)] in USES])
        }
        self._no_users = ~pack([i for users in self._users.values() for i in users.tolist()], len(table))
        self._doubtful = pack([i for ids in heads.values() for i in ids if _may_lengthen(table[i], extra)], len(table))
        self._followers = pack(heads.pop(b"", []), len(table))
        self.enders = pack([i for i, data in enumerate(table) if not data], len(table))
        self._closers = {head: np.array(ids, dtype=np.int64) for head, ids in heads.items()}

    @cached_property
    def nameless(self) -> np.ndarray:
        """The tokens that do not begin like a name, the end of the text among them; packed as `mask`."""
        table = self.vocabulary.token_bytes
        return self.pack([i for i, data in enumerate(table) if not data or not begins_name(data, self.extra)])

    def mask(self, rests: Iterable[bytes], *, may_end: bool) -> np.ndarray:
        """The tokens that can lead to one of `rests` with something after it that does not lengthen it.

        Parameters
        ----------
        rests
            What is still to be written of each legal name: whole characters; empty for a name that is written.
        may_end
            Whether the text may end here.

        Returns
        -------
        Packed int32 [ceil(vocabulary / 32)].
        """
        parents, longest = self.vocabulary.parents, self.vocabulary.longest_prefix
        mask = self.enders.copy() if may_end else np.zeros_like(self.enders)
        nodes: set[int] = set()
        found: list[np.ndarray] = []
        for rest in rests:
            if not rest:
                mask |= self._followers
                continue
            node = longest(rest)
            while node >= 0 and node not in nodes:
                nodes.add(node)
                node = parents[node]
            closers = self._closers.get(rest)
            if closers is not None:
                found.append(closers)
        found.append(self.vocabulary.ids[list(nodes)])
        add(mask, np.concatenate(found))
        return mask

    def warm(self) -> IdentifierTrie:
        """Build the tables for long lists of names now, not at the first of them."""
        _ = self._words, self._id_of
        return self

    def mask_of_names(self, names: Sequence[str]) -> np.ndarray:
        """As `mask`, for names of which nothing is written, where the text may not end; what is no name is left out."""
        return self._name_cache.mask(names)

    @cached_property
    def _name_cache(self) -> MaskCache:
        return MaskCache(self._lists, len(self.vocabulary.token_bytes))

    def _lists(self, names: Sequence[str]) -> Lists:
        """The tokens that are on the way to each name, or finish it and go on."""
        found = self._words.lists(names) if len(names) >= MANY and not self.extra else None
        if found is not None:
            return found
        lists = [self._list(name.encode()) for name in names]
        ids = np.fromiter(chain.from_iterable(lists), dtype=np.int64)
        return ids, np.fromiter(map(len, lists), dtype=np.int64, count=len(names))

    def _list(self, name: bytes) -> list[int]:
        if not name or identifier_length(name, self.extra) < len(name):
            return []
        ids, parents, node = list[int](), self.vocabulary.parents, self.vocabulary.longest_prefix(name)
        while node >= 0:
            ids.append(self._id_of[node])
            node = parents[node]
        closers = self._closers.get(name)
        return ids if closers is None else ids + closers.tolist()

    @cached_property
    def _id_of(self) -> list[int]:
        return self.vocabulary.ids.tolist()

    def forget(self) -> None:
        """Forget the cached names."""
        self.__dict__.pop("_name_cache", None)

    @cached_property
    def _words(self) -> WordTrie:
        tokens: dict[bytes, list[int]] = {}
        for index, data in enumerate(self.vocabulary.token_bytes):
            if data and _ASCII_WORD.fullmatch(data):
                tokens.setdefault(data, []).append(index)
        closers = {head: ids for head, ids in self._closers.items() if _ASCII_WORD.fullmatch(head)}
        return WordTrie(tokens, closers)

    def mask_of_ends(self, rests: Iterable[bytes], *, may_end: bool) -> np.ndarray:
        """The tokens that surely finish one of `rests` with something after it; packed as `mask`.

        Half a character after a name does not finish it where the whole one may be a letter.

        Parameters
        ----------
        rests
            What is still to be written of each name; empty for a name that is written.
        may_end
            Whether the end of the text finishes one too.
        """
        mask = self.enders.copy() if may_end else np.zeros_like(self.enders)
        for rest in rests:
            if not rest:
                mask |= self._followers
            elif rest in self._closers:
                add(mask, self._closers[rest])
        return mask & ~self._doubtful

    def mask_of_uses(self, rests: Iterable[bytes]) -> np.ndarray:
        """All tokens but those that finish a name with one of `USES` which is none of `rests`; packed as `mask`."""
        mask = self._no_users.copy()
        for rest in rests:
            users = self._users.get(rest)
            if users is not None:
                add(mask, users)
        return mask

    def pack(self, ids: Sequence[int]) -> np.ndarray:
        """A mask that allows these ids alone."""
        return pack(ids, len(self.vocabulary.token_bytes))


def _by_head(token_bytes: Sequence[bytes], extra: str) -> dict[bytes, list[int]]:
    """The tokens that go on after an identifier, by that identifier's bytes (none for those that begin after it)."""
    heads: dict[bytes, list[int]] = {}
    word = _ASCII_WORD.match
    for index, data in enumerate(token_bytes):
        if not extra and data.isascii():  # nearly all of a vocabulary, in the fewest steps
            length = word(data).end()  # pyright: ignore[reportOptionalMemberAccess]  # it matches nothing too
            if length < len(data):
                heads.setdefault(data[:length], []).append(index)
            continue
        length = identifier_length(data, extra)
        if length < len(data) and follows(data[length:], extra):
            heads.setdefault(data[:length], []).append(index)
    return heads


def in_identifier(character: str, extra: str = "") -> bool:
    """Whether a character lengthens an identifier."""
    return character in extra or ("a" + character).isidentifier()


def begins_name(data: bytes, extra: str = "") -> bool:
    """Whether bytes begin like a name: with a letter, or with something that is not ASCII."""
    return data[0] >= 0x80 or data[:1].isalpha() or data[:1] == b"_" or chr(data[0]) in extra


def identifier_length(data: bytes, extra: str = "") -> int:
    """Bytes of the longest beginning of `data` that consists of whole characters of identifiers."""
    found = _ASCII_WORD.match(data)
    length = found.end() if found else 0
    if length == len(data) or (data[length] < 0x80 and not extra):
        return length
    text = data[length:].decode(errors="replace")  # U+FFFD is in no identifier
    if ("a" + text).isidentifier():  # all of it, as it is most often
        return len(data)
    for character in text:
        if not in_identifier(character, extra):
            break
        length += len(character.encode())
    return length


def follows(data: bytes, extra: str = "") -> bool:
    """Whether `data` can begin a text that follows an identifier and does not lengthen it."""
    try:
        text, tail = data.decode(), b""
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text, tail = data[: error.start].decode(), data[error.start :]
    return not in_identifier(text[0], extra) if text else _can_be(tail, in_identifiers=False)


def _may_lengthen(data: bytes, extra: str) -> bool:
    """Whether bytes that go on after an identifier do so with half a character that can be one of identifiers."""
    if data.isascii():
        return False
    rest = data[identifier_length(data, extra) :]
    return not rest.isascii() and not rest.decode(errors="ignore") and _can_be(rest, in_identifiers=True)


@lru_cache(maxsize=1024)
def _can_be(half: bytes, *, in_identifiers: bool) -> bool:
    """Whether some character that begins with these bytes is in identifiers, or in none; ASCII extras do not matter."""
    lead = half[0]
    missing = (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4) - len(half)
    # The characters that begin so are a range, but for what UTF-8 leaves out: overlong forms, surrogates, too large.
    bits = lead & (0x1F if lead < 0xE0 else 0x0F if lead < 0xF0 else 0x07)
    for byte in half[1:]:
        bits = bits << 6 | byte & 0x3F
    least = 0x80 if lead < 0xE0 else 0x800 if lead < 0xF0 else 0x10000
    first, after = max(bits << 6 * missing, least), min((bits + 1) << 6 * missing, sys.maxunicode + 1)
    if first < _SURROGATES.stop and after > _SURROGATES.start:
        ranges = ((first, min(after, _SURROGATES.start)), (max(first, _SURROGATES.stop), after))
    else:
        ranges = ((first, after),)
    table = _in_identifiers()
    return any(bool((table[start:end] == in_identifiers).any()) for start, end in ranges if start < end)


@cache
def _in_identifiers() -> np.ndarray:
    """Whether each character lengthens an identifier, by code point.

    From the fourth plane on, only the beginning of the fourteenth has any: the others are unassigned or private.
    """
    table = np.zeros(sys.maxunicode + 1, dtype=bool)
    for plane in (range(0x40000), range(0xE0000, 0xE1000)):
        known = (f"a{chr(point)}".isidentifier() for point in plane)
        table[plane.start : plane.stop] = np.fromiter(known, dtype=bool, count=len(plane))
    return table
