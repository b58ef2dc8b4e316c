"""Masks of many names, walked abreast, against those found name by name."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding import identifiers
from guiderail.decoding.identifiers import Names
from guiderail.decoding.trie import IdentifierTrie
from guiderail.decoding.vocabulary import Vocabulary

NAME = st.text("abcA_1", min_size=1, max_size=6)
MIXED = st.text("ab_(. é", min_size=1, max_size=5)
TOKEN = st.one_of(NAME.map(str.encode), MIXED.map(str.encode), st.binary(max_size=2))


@settings(deadline=None, max_examples=200)
@given(st.lists(TOKEN, max_size=60), st.lists(st.one_of(NAME, st.text("a b(é\n", max_size=4)), max_size=30))
def test_many_names_have_the_mask_of_each(tokens: list[bytes], names: list[str]) -> None:
    """The fast way gives the mask of the slow one, or leaves names that are not plain to it."""
    table = [*tokens, *(bytes([byte]) for byte in range(256)), b""]
    trie = IdentifierTrie(Vocabulary(table))
    found = trie.mask_of_many([name for name in names if name] or ["a"])
    expected = Names(trie, names or ["a"]).mask(b"") if any(names) else Names(trie, ["a"]).mask(b"")
    plain = all(name.isascii() and "\n" not in name for name in names)
    assert (found is not None) == plain
    assert found is None or np.array_equal(found, expected)


def test_long_lists_take_the_fast_way(monkeypatch) -> None:
    """From some length on it is the fast way that is taken, with the same result."""
    trie = IdentifierTrie(Vocabulary([b"name", b"name1(", b"na", b"(", b""]))
    names = [f"name{n}" for n in range(identifiers.MANY)]
    fast = Names(trie, names).mask(b"")
    monkeypatch.setattr(identifiers, "MANY", len(names) + 1)
    assert np.array_equal(Names(trie, names).mask(b""), fast)
