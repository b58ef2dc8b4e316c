"""A tree after a sequence is what feeding each of its paths would be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.live import LiveCache
from guiderail.cache.tree import ROOT, TokenTree
from tests.cache.shapes import EVERY, LENGTH_DEPENDENT, model_of

PROMPT = list(range(5, 60))
SHAPE = [ROOT, 0, 0, 1, ROOT, 4, 3, 2, 6]  # parents
TOLERANCE = 1e-5  # of the largest logit, fp32


def tree_of(parents: list[int], seed: int = 0) -> TokenTree:
    tree = TokenTree()
    for node, parent in enumerate(parents):
        tree.add(3 + (node * 37 + seed * 11) % 290, parent)
    return tree


def encoded(name: str, ids: list[int]) -> tuple[LiveCache, torch.Tensor]:
    cache = LiveCache(model_of(name))
    logits = cache.feed(ids)
    assert logits is not None
    return cache, logits


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() <= TOLERANCE * other.abs().max())


@pytest.mark.parametrize("name", EVERY)
def test_each_nodes_logits_are_those_of_its_path(name: str) -> None:
    """In every architecture, with and without sliding windows, as if the path had been fed token by token."""
    cache, _ = encoded(name, PROMPT)
    tree = tree_of(SHAPE)
    logits = cache.feed_tree(tree)
    for node in range(len(tree)):
        assert close(logits[node], encoded(name, PROMPT + tree.ids(node))[1])


@pytest.mark.parametrize("name", EVERY)
def test_a_kept_path_is_as_if_fed(name: str) -> None:
    """Keys, values, ids, exactness and what comes next are those of feeding the path; the rest leaves no trace."""
    cache, _ = encoded(name, PROMPT)
    tree = tree_of(SHAPE)
    cache.feed_tree(tree)
    path = tree.path(8)
    cache.keep(path)
    fed, _ = encoded(name, PROMPT)
    for token in tree.ids(8):
        fed.feed([token])
    assert cache.ids == fed.ids and cache.is_exact == fed.is_exact
    for layer in range(cache.model.layers):
        for one, other in zip(cache.buffers.read(layer, fed.length), fed.buffers.read(layer, fed.length), strict=True):
            assert close(one, other)
    after, expected = cache.feed([7, 8]), fed.feed([7, 8])
    assert after is not None and expected is not None and close(after, expected)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_growing_in_pieces_is_growing_at_once(data: st.DataObject) -> None:
    """A tree run as it grows gives the logits of the whole tree, whatever its shape and the pieces."""
    size = data.draw(st.integers(1, 14))
    parents = [data.draw(st.integers(ROOT, node - 1)) for node in range(size)]
    whole, _ = encoded("mistral", PROMPT)
    expected = whole.feed_tree(tree_of(parents))
    cache, _ = encoded("mistral", PROMPT)
    tree, rows = TokenTree(), []
    reference = tree_of(parents)
    for node in range(size):
        tree.add(reference.tokens[node], parents[node])
        if node == size - 1 or data.draw(st.booleans()):
            rows.append(cache.feed_tree(tree))
    assert close(torch.cat(rows), expected)


def test_whatever_else_is_done_makes_it_a_new_tree() -> None:
    """After feeding, going back or reading, a tree is run as a whole again: its slots may hold anything."""
    cache, _ = encoded("qwen3", PROMPT)
    tree = tree_of(SHAPE)
    expected = cache.feed_tree(tree)
    for change in (lambda: cache.feed([9]), lambda: cache.rollback(1), lambda: cache.read([9, 9, 9])):
        change()
    assert cache.ids == PROMPT
    assert close(cache.feed_tree(tree), expected)


def test_only_a_path_that_was_run_is_kept() -> None:
    cache, _ = encoded("qwen3", PROMPT)
    tree = tree_of(SHAPE)
    cache.feed_tree(tree)
    later = tree.add(9, 8)
    for wrong in ([1], [0, 3], tree.path(later)):
        with pytest.raises(ValueError, match="only a path"):
            cache.keep(wrong)
        cache.feed_tree(tree_of(SHAPE))
    cache.feed([9])
    with pytest.raises(ValueError, match="only a path"):
        cache.keep([0])


def test_keeping_nothing_forgets_the_tree() -> None:
    cache, _ = encoded("qwen3", PROMPT)
    cache.feed_tree(tree_of(SHAPE))
    cache.keep([])
    assert cache.ids == PROMPT and cache.is_exact


def test_a_tree_needs_something_before_it_and_something_new() -> None:
    with pytest.raises(ValueError, match="before it"):
        LiveCache(model_of("qwen3")).feed_tree(tree_of(SHAPE))
    cache, _ = encoded("qwen3", PROMPT)
    tree = tree_of(SHAPE)
    cache.feed_tree(tree)
    with pytest.raises(ValueError, match="no node"):
        cache.feed_tree(tree)


def test_the_buffers_grow_under_a_tree() -> None:
    """A tree that does not fit the buffers makes them larger, and what is stored stays."""
    cache, _ = encoded("qwen3", PROMPT)
    room = cache.buffers.capacity - cache.length
    tree = TokenTree.chain([5 + i % 200 for i in range(room + 9)])
    logits = cache.feed_tree(tree)
    assert close(logits[-1], encoded("qwen3", PROMPT + tree.tokens)[1])


@pytest.mark.parametrize("name", LENGTH_DEPENDENT)
def test_a_path_into_other_frequencies_is_not_exact(name: str) -> None:
    """Where positions turn by other frequencies after some length, what is kept across it is not called exact."""
    cache, _ = encoded(name, [5 + i % 200 for i in range(250)])
    tree = TokenTree.chain([5 + i for i in range(20)])
    cache.feed_tree(tree)
    cache.keep(tree.path(19))
    assert not cache.is_exact
