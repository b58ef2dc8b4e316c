"""Models with recurrent layers: whatever is edited, decoded or drafted, scores are those of a fresh encoding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from guiderail.cache import checkpoints as kept
from guiderail.cache.checkpoints import NEAREST, Checkpoints, planned
from guiderail.cache.live import LiveCache
from guiderail.cache.pool import CachePool
from guiderail.cache.rotation import Refusal, rotation_of
from guiderail.cache.tree import ROOT, TokenTree
from tests.cache.scripts import Edit, edited, edits
from tests.helpers.models import HYBRIDS, tiny_folder, tiny_model

IDS = [5 + (i * i * 7 + i) % 290 for i in range(150)]
SHAPE = [ROOT, 0, 0, 1, ROOT, 4, 3, 2, 6]  # parents
TOLERANCE = 1e-4  # of the largest score, fp32: a state goes through other sums when passes end elsewhere
KINDS = ("qwen3.5", "granite-4", "falcon-h1", "lfm2")  # one of each kind of layer
scripts = st.lists(st.lists(edits, min_size=1, max_size=2), min_size=1, max_size=5)
fits = settings(max_examples=10, deadline=None)


def fresh(name: str, ids: list[int]) -> torch.Tensor:
    """The scores after `ids`, encoded from nothing in one pass."""
    logits = LiveCache(tiny_model(name)).read(ids)
    return logits[-1]


def close(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    assert one is not None
    return bool((one - other).abs().max() <= TOLERANCE * other.abs().max())


def cache_of(name: str, ids: list[int]) -> LiveCache:
    cache = LiveCache(tiny_model(name), policy="auto")
    cache.fit(ids)
    return cache


def tree_of(parents: list[int]) -> TokenTree:
    tree = TokenTree()
    for node, parent in enumerate(parents):
        tree.add(3 + node * 37 % 290, parent)
    return tree


@pytest.mark.parametrize("name", HYBRIDS)
def test_scores_are_transformers_own(name: str) -> None:
    """In passes that end at checkpoints, token by token, and in transformers' single pass without a cache."""
    reference = AutoModelForCausalLM.from_pretrained(tiny_folder(name), attn_implementation="eager").eval()
    with torch.inference_mode():
        expected = reference(torch.tensor([IDS]), use_cache=False).logits[0]
    cache = cache_of(name, IDS[:-3])
    assert cache.is_exact and cache.length == len(IDS) - 3
    assert len(cache.checkpoints) >= 3
    for i in range(len(IDS) - 3, len(IDS)):
        assert close(cache.feed([IDS[i]]), expected[i])
    assert close(LiveCache(tiny_model(name)).read(IDS)[40], expected[40])


@pytest.mark.parametrize("name", HYBRIDS)
def test_each_nodes_scores_are_those_of_its_path(name: str) -> None:
    """A tree in one pass, and the same tree run as it grows, as if each path had been fed."""
    cache, tree, grown, rows = cache_of(name, IDS), tree_of(SHAPE), TokenTree(), []
    logits = cache.feed_tree(tree)
    for node, parent in enumerate(SHAPE):
        assert close(logits[node], fresh(name, IDS + tree.ids(node)))
        grown.add(tree.tokens[node], parent)
        if node in {0, 3, 4, 8}:
            rows.append(cache.feed_tree(grown))
    assert close(torch.cat(rows), logits)


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_kept_path_is_as_if_fed(name: str) -> None:
    """The state after the kept nodes is that of feeding them: for a token, for several, and for the next tree."""
    cache, tree = cache_of(name, IDS), tree_of(SHAPE)
    cache.feed_tree(tree)
    cache.keep(tree.path(8))
    ids = IDS + tree.ids(8)
    assert cache.ids == ids and cache.is_exact
    assert close(cache.feed_tree(tree)[7], fresh(name, ids + tree.ids(7)))
    assert close(cache.feed([7, 8]), fresh(name, [*ids, 7, 8]))


@fits
@given(scripts, st.sampled_from(KINDS), st.data())
def test_after_any_edits_scores_are_those_of_a_fresh_encoding(
    script: list[list[Edit]], name: str, data: st.DataObject
) -> None:
    """Whatever comes between the edits: tokens fed or forgotten, trees, passes that nothing is kept of, parking."""
    cache, ids = cache_of(name, IDS), IDS
    between = ("feed", "forget", "tree", "read", "park", "nothing")
    for several in script:
        what = data.draw(st.sampled_from(between))
        if what == "feed":
            cache.feed([3, 4, 5])
        elif what == "forget":
            cache.rollback(min(20, cache.length - 1))
        elif what == "tree":
            tree = tree_of(SHAPE)
            cache.feed_tree(tree)
            cache.keep(tree.path(data.draw(st.integers(0, 8))))
        elif what == "read":
            cache.read([3, 4, 5])
        elif what == "park":
            cache = cache.copy()
        for edit in several:
            ids = edited(ids, edit) or [9]
        report = cache.fit(ids)
        assert cache.ids == ids and report.exact and report.policy == "exact" and not report.rotated
        assert close(report.logits, fresh(name, ids))


@pytest.mark.parametrize("name", KINDS)
def test_encoding_goes_on_from_the_checkpoint_before_an_edit(name: str) -> None:
    """Nothing before it is run again, and what is run in vain is at most half of what follows the edit, or so."""
    cache = cache_of(name, IDS)
    before = cache.checkpoints
    at = 100
    report = cache.fit([*IDS[:at], 7, *IDS[at:]])
    start = len(IDS) + 1 - report.encoded
    assert start in before and start <= at
    assert report.encoded <= 1.5 * (len(IDS) - at) + NEAREST + 2
    assert report.kept == start


def test_forgotten_tokens_are_run_again_only_from_the_last_checkpoint() -> None:
    cache = cache_of("qwen3.5", IDS)
    for token in (3, 4, 5):
        cache.feed([token])
    cache.rollback(3)
    passes: list[int] = []
    encode = cache._runner.encode
    cache._runner.encode = lambda ids, positions: passes.append(len(ids)) or encode(ids, positions)  # type: ignore
    assert close(cache.feed([9]), fresh("qwen3.5", [*IDS, 9]))
    assert passes == [1]


def test_a_cancelled_encoding_goes_on_where_it_stopped() -> None:
    asked = iter([False, True])
    cache = LiveCache(tiny_model("granite-4"))
    assert cache.fit(IDS, cancelled=lambda: next(asked)).logits is None
    assert 0 < cache.length < len(IDS)
    assert close(cache.fit(IDS).logits, fresh("granite-4", IDS))


def test_a_failing_pass_leaves_nothing_that_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of("granite-4", IDS)
    with monkeypatch.context() as patched:
        patched.setattr(cache.model, "forward", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            cache.feed([3, 4])
        with pytest.raises(MemoryError):
            cache.feed_tree(tree_of(SHAPE))
    tree = tree_of(SHAPE)
    assert close(cache.feed_tree(tree)[8], fresh("granite-4", IDS + tree.ids(8)))
    assert close(cache.feed([3]), fresh("granite-4", [*IDS, 3]))


def test_files_share_a_beginning_and_its_checkpoints() -> None:
    """A second file goes on from the checkpoint before it differs, and the first one comes back whole."""
    cache = LiveCache(tiny_model("qwen3.5"))
    pool, other = CachePool(cache, host_bytes=1 << 30), [*IDS[:120], *range(40, 90)]
    for key, ids in (("a", IDS), ("b", other), ("a", IDS)):
        pool.open(key, ids)
        report = cache.fit(ids)
        assert close(report.logits, fresh("qwen3.5", ids))
    assert report.encoded <= 2 * NEAREST
    assert pool.nbytes > cache.model.state_bytes


def test_the_policy_is_exact_and_says_why() -> None:
    refusal = rotation_of(tiny_model("granite-4"))
    assert isinstance(refusal, Refusal) and "recurrent" in refusal.reason
    cache = LiveCache(tiny_model("granite-4"), policy="patch")
    cache.fit(IDS)
    assert "recurrent" in cache.fit([*IDS[:50], 7, *IDS[50:]]).reason


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=600), st.integers(0, 300), st.integers(1, 32))
def test_planned_checkpoints_bound_what_is_run_in_vain(ids: list[int], start: int, limit: int) -> None:
    """Between two of them is at most half of what comes after them, a line and the least distance."""
    start = min(start, len(ids) - 1)
    lines = [b"\n" if token == 0 else b"x" for token in range(10)]
    found = planned(ids, start, limit, lines)
    assert found == sorted(set(found)) and all(start + NEAREST <= at < len(ids) for at in found)
    assert len(found) <= limit
    if limit == 32:
        for before, after in zip([start, *found], [*found, len(ids)], strict=True):
            assert after - before <= max(NEAREST, 0.5 * (len(ids) - after)) + NEAREST + kept.LONGEST_LINE


@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.integers(4, 12))
def test_few_checkpoints_are_kept_and_the_last_is_one(steps: list[int], limit: int) -> None:
    states, length = Checkpoints(limit), 0
    for step in steps:
        length += step
        states.advance(length, {}, keep=True)
        assert len(states.lengths) <= limit and states.lengths[-1] == length
    assert states.rewind(length - 1) <= length - 1
