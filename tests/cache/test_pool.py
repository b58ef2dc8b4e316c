"""The pool: every file's cache comes back as it was, memory is bounded, and nothing inexact is handed over."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.live import LiveCache
from guiderail.cache.pool import CachePool
from guiderail.cache.selection import PIE
from tests.cache.shapes import model_of
from tests.cache.test_live import error, exact_tokens

SHARED = [7 + (i * i) % 200 for i in range(40)]
A = [*SHARED, *range(210, 260)]
B = [*SHARED, *range(250, 200, -1)]
C = [9, *range(100, 160)]


def pool_of(megabytes: float = 1.0) -> CachePool:
    cache = LiveCache(model_of("qwen3"), policy="patch", effort=PIE)
    return CachePool(cache, device_bytes=int(megabytes * 2**20), host_bytes=int(megabytes * 2**20))


def use(pool: CachePool, key: str, ids: list[int]) -> int:
    """The tokens that were encoded."""
    pool.open(key, ids)
    return pool.cache.fit(ids).encoded


def test_switching_between_files_encodes_nothing_again() -> None:
    """Back in a file only the last token is run, for its logits; the cache is a fresh encoding."""
    pool = pool_of()
    for key, ids in (("a", A), ("b", B), ("c", C)):
        use(pool, key, ids)
    for key, ids in (("a", A), ("c", C), ("b", B), ("a", A)):
        assert use(pool, key, ids) == 1
        assert pool.cache.ids == ids
        assert error(pool.cache) < 1e-5


def test_what_two_files_share_is_encoded_once() -> None:
    """A file that is opened for the first time keeps what it has in common with any other, in use or parked."""
    pool = pool_of()
    use(pool, "a", A)
    assert use(pool, "b", B) == len(B) - len(SHARED)
    use(pool, "c", C)
    assert use(pool, "d", [*SHARED, 300, 301]) == 2
    assert error(pool.cache) < 1e-5


def test_only_exact_tokens_are_handed_over() -> None:
    """After an edit in the shared text another file gets the exact beginning and no stale token."""
    pool = pool_of()
    use(pool, "a", A)
    edited = [*A[:10], 299, *A[10:]]
    assert use(pool, "a", edited) == 2
    assert not pool.cache.is_exact
    use(pool, "b", [*edited[:41], *B[40:]])
    assert pool.cache.is_exact
    assert error(pool.cache) < 1e-5


def test_a_parked_cache_keeps_its_state() -> None:
    """A patched cache comes back patched, its ledger true, and can be healed."""
    pool = pool_of()
    use(pool, "a", A)
    use(pool, "a", [*A[:10], 299, *A[10:]])
    stale = [i for i in range(pool.cache.length) if i not in exact_tokens(pool.cache)]
    use(pool, "b", B)
    pool.open("a", A)
    assert [i for i in range(pool.cache.length) if i not in exact_tokens(pool.cache)] == stale
    pool.cache.heal()
    assert error(pool.cache) < 1e-5


def test_the_least_recently_used_goes_first() -> None:
    """The parked bytes stay within the budget; what was used last stays longest."""
    one = len(A) * LiveCache(model_of("qwen3")).buffers.shape.bytes_per_token
    pool = pool_of(2.5 * one / 2**20)
    for key in "abcd":
        use(pool, key, A)
    assert pool.keys == ["b", "c"]
    use(pool, "b", A)
    assert pool.keys == ["c", "d"]
    assert pool.nbytes <= 2.5 * one


def test_without_a_budget_nothing_is_parked() -> None:
    """A pool of no bytes is one cache that every file follows on."""
    pool = pool_of(0)
    use(pool, "a", A)
    use(pool, "b", B)
    assert pool.keys == [] and pool.nbytes == 0


def test_a_forgotten_file_is_gone() -> None:
    """A closed file takes no memory, parked or in use."""
    pool = pool_of()
    use(pool, "a", A)
    use(pool, "b", B)
    pool.forget("a")
    pool.forget("b")
    use(pool, "c", C)
    assert pool.keys == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans()), max_size=12), st.floats(0, 0.3))
def test_any_order_of_files_and_edits_is_right(steps: list[tuple[str, int, bool]], megabytes: float) -> None:
    """Whatever is opened, edited and healed in whatever memory: ids right, ledger true, budget kept."""
    pool = pool_of(megabytes)
    texts = {"a": A, "b": B, "c": C}
    for key, at, healed in steps:
        texts[key] = [*texts[key][:at], 290, *texts[key][at:]]
        use(pool, key, texts[key])
        if healed:
            pool.cache.heal()
        assert pool.cache.ids == texts[key]
        assert error(pool.cache, exact_tokens(pool.cache)) < 1e-5
        assert pool.nbytes <= megabytes * 2**20
    pool.cache.heal()
    assert not pool.cache.length or error(pool.cache) < 1e-5


def test_memory_is_a_plain_caches_and_a_tenth() -> None:
    """What a cache of 1,000 tokens and more takes, the ledger included, is at most 1.1 times its keys and values."""
    model = model_of("qwen3")
    for length in (1000, 1023):
        cache = LiveCache(model)
        cache.feed([i % 300 for i in range(length)])
        plain = length * cache.buffers.shape.bytes_per_token
        ledger = cache.nbytes - cache.buffers.nbytes
        assert plain <= cache.buffers.nbytes <= 1.1 * plain
        assert ledger < 160 * length  # bytes a token, of a model of any size


@pytest.mark.gpu
def test_what_does_not_fit_the_gpu_waits_on_the_cpu() -> None:
    """Parked tensors go to the CPU and back to the GPU, and are what they were."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    from guiderail.model.load import load
    from tests.helpers.models import tiny_folder

    model = load(str(tiny_folder("qwen3")), device="cuda", dtype="float32")
    pool = CachePool(LiveCache(model), device_bytes=1, host_bytes=2**24)
    pool.open("a", A)
    pool.cache.fit(A)
    before = [k.clone() for k in pool.cache.park().keys]
    pool.open("b", C)
    pool.cache.fit(C)
    assert {t.device.type for p in pool._on_host.values() for t in p.keys} == {"cpu"}
    pool.open("a", A)
    assert all(torch.equal(one, other) for one, other in zip(before, pool.cache.park().keys, strict=True))
