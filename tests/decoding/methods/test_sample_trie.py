"""The bounds that samples teach, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.methods.sample_trie import NOTHING, Node, SampleTrie, logsumexp

rows = st.lists(st.floats(-8, 0), min_size=2, max_size=6)


def node(row: list[float], allow: list[bool] | None = None) -> Node:
    logp = np.array(row) - np.log(np.exp(row).sum())
    return Node(logp, np.array(allow or [True] * len(row)))


@given(rows, st.data())
def test_a_node_counts_its_allowed_tokens(row: list[float], data: st.DataObject) -> None:
    """An unvisited node's c is the allowed tokens' probability."""
    allow = data.draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row)))
    p = np.exp(row) / np.exp(row).sum()
    assert np.exp(node(row, allow).log_c) == pytest.approx(p[allow].sum(), abs=1e-9)


@given(rows, rows, st.data())
def test_what_is_learned_reaches_the_root(above: list[float], below: list[float], data: st.DataObject) -> None:
    """c(root) = sum P(t) c(t), with the visited child's own c."""
    root, child, trie = node(above), node(below), SampleTrie()
    place, inner = data.draw(st.integers(0, len(above) - 1)), data.draw(st.integers(0, len(below) - 1))
    trie.add(None, 0, root)
    trie.add(root, place, child)
    trie.update([(root, place), (child, inner)], NOTHING)
    p, q = np.exp(root.logp), np.exp(child.logp)
    assert np.exp(child.log_c) == pytest.approx(1 - q[inner], abs=1e-9)
    assert np.exp(root.log_c) == pytest.approx(1 - p[place] * q[inner], abs=1e-9)
    assert trie.size == len(above) + len(below)


def test_draws_follow_the_weights() -> None:
    """Chi-square over P(t) c(t), 20,000 draws; a token without a future is never drawn."""
    one = node([0.0, -1.0, -0.5, -2.0, -0.3])
    one.future[:] = [0.0, -0.7, NOTHING, -0.1, NOTHING]
    rng, draws = np.random.default_rng(5), 20_000
    counts = np.bincount([one.draw(rng) or 0 for _ in range(draws)], minlength=5)
    expected = np.exp(one.logp + one.future - one.log_c) * draws
    kept = expected > 0
    assert counts[~kept].sum() == 0
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < 13.82  # 2 degrees of freedom, p = 0.001


def test_without_a_future_nothing_is_drawn() -> None:
    one = node([0.0, 0.0])
    one.future[:] = NOTHING
    assert one.draw(np.random.default_rng(0)) is None
    assert one.log_c == logsumexp(np.array([])) == NOTHING
