"""The trie of bytes against brute force."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.constraints.vocabulary import Vocabulary

# A small alphabet makes prefixes collide; 0xff is the byte after which nothing sorts.
TEXT = st.lists(st.sampled_from(b"ab\xff"), max_size=5).map(bytes)
TOKENS = st.lists(TEXT, max_size=40)


@given(TOKENS)
def test_every_id_with_bytes_is_one_node_in_order(tokens: list[bytes]) -> None:
    """Special tokens, which have no bytes, are nowhere; ids of equal bytes are nodes of their own."""
    vocabulary = Vocabulary(tokens)
    assert sorted(vocabulary.ids.tolist()) == [i for i, data in enumerate(tokens) if data]
    data = [tokens[i] for i in vocabulary.ids]
    assert data == sorted(data)


@given(TOKENS)
def test_a_parent_is_the_longest_other_token_that_a_token_begins_with(tokens: list[bytes]) -> None:
    """Among the nodes before it; -1 if there is none."""
    vocabulary = Vocabulary(tokens)
    data = [tokens[i] for i in vocabulary.ids]
    for node, parent in enumerate(vocabulary.parents):
        prefixes = [other for other in range(node) if data[node].startswith(data[other])]
        best = max(prefixes, key=lambda other: (len(data[other]), other), default=-1)
        assert parent == best


@given(TOKENS, TEXT)
def test_the_longest_prefix_and_its_ancestors_are_all_prefixes_of_a_text(tokens: list[bytes], text: bytes) -> None:
    """Walking up from it meets exactly the tokens that the text begins with, the longest first."""
    vocabulary = Vocabulary(tokens)
    met, node = [], vocabulary.longest_prefix(text)
    while node >= 0:
        met.append(int(vocabulary.ids[node]))
        node = vocabulary.parents[node]
    assert sorted(met) == [i for i, data in enumerate(tokens) if data and text.startswith(data)]
    lengths = [len(tokens[i]) for i in met]
    assert lengths == sorted(lengths, reverse=True)


@given(TOKENS, TEXT)
def test_compatible_ids_are_named_once_and_empty_text_fits_all(tokens: list[bytes], text: bytes) -> None:
    """A token fits if one of the two begins with the other."""
    vocabulary = Vocabulary(tokens)
    found = vocabulary.compatible(text).tolist()
    assert len(found) == len(set(found))
    assert set(found) == {i for i, d in enumerate(tokens) if d and (d.startswith(text) or text.startswith(d))}
    assert np.array_equal(np.sort(vocabulary.compatible(b"")), np.sort(vocabulary.ids))
