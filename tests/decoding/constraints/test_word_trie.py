"""Masks of whole lists of names, walked abreast or name by name and kept, against those found anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints import identifier_trie, mask_cache
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie, identifier_length
from guiderail.decoding.constraints.vocabulary import Vocabulary

NAME = st.text("abcA_1", min_size=1, max_size=6)
MIXED = st.text("ab_(. é$", min_size=1, max_size=5)
TOKEN = st.one_of(NAME.map(str.encode), MIXED.map(str.encode), st.binary(max_size=2))
NAMES = st.lists(st.one_of(NAME, st.text("a b(é\n$", max_size=4)), max_size=30)


@pytest.mark.parametrize("many", [0, 5, 1000])
@pytest.mark.parametrize("most", [3, 1000])
@pytest.mark.parametrize("extra", ["", "$"])
@settings(deadline=None, max_examples=60)
@given(tokens=st.lists(TOKEN, max_size=60), lists=st.lists(NAMES, max_size=4))
def test_lists_of_names_have_the_mask_of_each(
    tokens: list[bytes], lists: list[list[str]], many: int, most: int, extra: str
) -> None:
    """However the tokens of a name are found, and whatever is kept of lists before, the mask is the same."""
    table = [*tokens, *(bytes([byte]) for byte in range(256)), b""]
    kept = IdentifierTrie(Vocabulary(table), extra)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identifier_trie, "MANY", many)
        patch.setattr(mask_cache, "MOST", most)
        for names in lists:
            whole = [name.encode() for name in names if name]
            whole = [name for name in whole if identifier_length(name, extra) == len(name)]
            expected = IdentifierTrie(Vocabulary(table), extra).mask(whole, may_end=False)
            assert np.array_equal(kept.mask_of_names([name for name in names if name]), expected)
