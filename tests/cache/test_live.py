"""The live cache: whatever is edited, its tokens are right, its ledger is true, and healing makes it exact."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.buffers import KeyValueBuffers
from guiderail.cache.live import HEAL_CHUNK, LiveCache
from guiderail.cache.plan import CHUNK
from guiderail.cache.policy import MOST_ROTATIONS, Costs
from guiderail.cache.rotation import Refusal, Rotation, rotation_of
from guiderail.cache.selection import PIE, Effort
from guiderail.model.load import load
from guiderail.model.model import Model
from tests.cache.scripts import Edit, edited, edits
from tests.cache.shapes import EVERY, LENGTH_DEPENDENT, UNMOVABLE, model_of
from tests.helpers.models import tiny_folder

START = [5 + (i * i * 7 + i) % 290 for i in range(150)]
SMALL = Effort(halo=3, near=5, tail=4, uses=6)
scripts = st.lists(st.lists(edits, min_size=1, max_size=3), min_size=1, max_size=6)
fits = settings(max_examples=25, deadline=None)


def follow(ids: list[int], several: list[Edit]) -> list[int]:
    for edit in several:
        ids = edited(ids, edit)
    return ids or [9]


def fresh(cache: LiveCache) -> LiveCache:
    """The same sequence encoded from nothing."""
    other = LiveCache(cache.model)
    other.feed(list(cache.ids))
    return other


def stored(cache: LiveCache) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [cache.buffers.read(layer, cache.length) for layer in range(cache.model.layers)]


def error(cache: LiveCache, indices: list[int] | None = None) -> float:
    """Largest difference from a fresh encoding, over the largest entry of its layer, of the tokens at `indices`."""
    at = list(range(cache.length)) if indices is None else indices
    worst = 0.0
    for mine, theirs in zip(stored(cache), stored(fresh(cache)), strict=True):
        for got, want in zip(mine, theirs, strict=True):
            if at:
                worst = max(worst, float((got[:, at] - want[:, at]).abs().max() / want.abs().max()))
    return worst


def assert_first_layer(cache: LiveCache) -> None:
    """Every token that has keys and values has those of its id and its position: all that the first layer knows."""
    if not cache.length:
        return
    missing = set(cache.missing)
    at = [i for i in range(cache.length) if i not in missing]
    for got, want in zip(stored(cache)[0], stored(fresh(cache))[0], strict=True):
        assert not at or (got[:, at] - want[:, at]).abs().max() <= 1e-5 * want.abs().max()


def exact_tokens(cache: LiveCache) -> list[int]:
    return [i for i in range(cache.length) if cache.is_exact_at(i)]


@pytest.mark.parametrize("name", EVERY)
def test_healed_equals_fresh_in_every_architecture(name: str) -> None:
    """After a patch the scores' tokens are right; what the ledger calls exact is, and after healing all is (1e-5)."""
    cache = LiveCache(model_of(name), policy="patch", effort=SMALL)
    cache.fit(START)
    new = [*START[:40], 7, 8, 9, *START[40:90], *START[95:120], 11, *START[121:]]
    report = cache.fit(new)
    assert report.policy == "patch"
    assert cache.ids == new
    assert report.stale == len(new) - len(exact_tokens(cache)) > 0
    assert error(cache, exact_tokens(cache)) < 1e-5
    assert cache.heal() == report.stale
    assert cache.is_exact
    assert error(cache) < 1e-5


@pytest.mark.parametrize("name", EVERY)
def test_layer_0_needs_no_healing(name: str) -> None:
    """After an edit the first layer's keys and values equal a fresh encoding's: a rotation is all they need."""
    cache = LiveCache(model_of(name), policy="patch", effort=PIE)
    cache.fit(START)
    report = cache.fit([*START[:30], 3, 4, 5, 6, *START[30:100], *START[107:]])
    assert report.rotated > 0
    assert_first_layer(cache)


@pytest.mark.parametrize("name", EVERY)
def test_no_effort_is_the_formula_of_the_paper(name: str) -> None:
    """Without halo: K[q:] rotated by the shift, V[q:] untouched, new tokens exact, in each layer."""
    model = model_of(name)
    rotation = rotation_of(model)
    assert isinstance(rotation, Rotation)
    cache = LiveCache(model, policy="patch", effort=PIE)
    cache.fit(START)
    old = [(k.clone(), v.clone()) for k, v in stored(cache)]
    cache.fit([*START[:50], 300, 301, 302, *START[52:]])
    rotate = rotation.by(torch.ones(len(START) - 53, dtype=torch.int64))
    for layer, ((keys, values), (old_keys, old_values)) in enumerate(zip(stored(cache), old, strict=True)):
        assert torch.equal(keys[:, :50], old_keys[:, :50])
        assert torch.equal(values[:, 53:-1], old_values[:, 52:-1])
        assert torch.equal(keys[:, 53:-1], rotate(layer, old_keys[:, 52:-1]))
    assert error(cache, list(range(53))) < 1e-5


@pytest.mark.parametrize("name", EVERY)
def test_running_everything_is_a_full_encoding(name: str) -> None:
    """A patch whose halo reaches the end gives the full encoding and its scores: one path from PIE to exact."""
    cache = LiveCache(model_of(name), policy="patch", effort=replace(PIE, halo=len(START)))
    cache.fit(START)
    new = [*START[:50], 7, 8, 9, *START[54:]]
    report = cache.fit(new)
    want = LiveCache(cache.model).feed(new)
    assert want is not None and report.logits is not None
    assert (report.logits - want).abs().max() <= 1e-5 * want.abs().max()
    assert report.exact
    assert error(cache) < 1e-5


@fits
@given(scripts, st.sampled_from(["qwen3", "starcoder2", "GLM, interleaved and partial", "guiderail"]))
def test_the_ledger_tells_the_truth(script: list[list[Edit]], name: str) -> None:
    """After any edits the ids are the target's, every token has one position, and what is called exact is exact."""
    cache, ids = LiveCache(model_of(name), policy="patch", effort=SMALL), START
    cache.fit(ids)
    for several in script:
        ids = follow(ids, several)
        report = cache.fit(ids)
        assert cache.ids == ids
        assert report.kept + report.encoded == report.length == cache.length == len(ids)
        assert report.stale == cache.length - len(exact_tokens(cache))
        assert cache.exact_upto in (len(ids), *(i for i in range(len(ids)) if not cache.is_exact_at(i)))
    assert error(cache, exact_tokens(cache)) < 1e-5
    cache.heal()
    assert cache.is_exact
    assert error(cache) < 1e-5


@settings(max_examples=12, deadline=None)
@given(scripts, st.data())
def test_a_cancel_leaves_nothing_wrong(script: list[list[Edit]], data: st.DataObject) -> None:
    """A fit cancelled between any two chunks, then another edit, then healing in bits: still a fresh encoding."""
    cache, ids = LiveCache(model_of("qwen3"), policy="patch", effort=SMALL), START
    cache.fit(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guiderail.cache.live.CHUNK", 4)
        patch.setattr("guiderail.cache.live.HEAL_CHUNK", 8)
        for several in script:
            ids = follow(ids, several)
            chunks = iter(range(data.draw(st.integers(0, 3))))
            report = cache.fit(ids, cancelled=lambda chunks=chunks: next(chunks, None) is None)
            assert report.logits is not None or not cache.is_exact or cache.length < len(ids)
            assert error(cache, exact_tokens(cache)) < 1e-5
            assert_first_layer(cache)
            chunks = iter(range(2))
            cache.heal(cancelled=lambda chunks=chunks: next(chunks, None) is None)
        cache.fit(ids)
    cache.heal()
    assert cache.ids == ids
    assert error(cache) < 1e-5


def test_a_cancelled_patch_is_finished_before_anything_is_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that a cancelled patch left without keys are encoded before the next token reads them."""
    new = [*START[:20], *range(200, 210), *START[20:60], *range(250, 260), *START[60:]]
    monkeypatch.setattr("guiderail.cache.live.CHUNK", 5)
    caches = [LiveCache(model_of("qwen3"), policy="patch", effort=PIE) for _ in range(2)]
    for cache, answer in zip(caches, (True, False), strict=True):
        cache.fit(START)
        assert (cache.fit(new, cancelled=lambda answer=answer: answer).logits is None) is answer
    cut, whole = caches
    assert cut.missing
    got, want = cut.feed([33]), whole.feed([33])
    assert not cut.missing
    assert got is not None and want is not None
    assert (got - want).abs().max() <= 1e-5 * want.abs().max()


@pytest.mark.parametrize("method", ["write", "move"])
def test_a_failure_is_not_believed(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """When moving or a pass fails half-way, what it overwrote counts as missing and is run again."""
    cache = LiveCache(model_of("qwen3"), policy="patch", effort=SMALL)
    cache.fit(START)
    new = [*START[:60], 7, 8, *START[60:]]
    original, calls = KeyValueBuffers.write, iter(range(2))

    def write(self: KeyValueBuffers, *args) -> None:
        if next(calls, None) is None:
            raise MemoryError
        original(self, *args)

    def move(self: KeyValueBuffers, source: torch.Tensor, target: torch.Tensor, _) -> None:
        self._keys[0][:, target] = self._keys[0][:, source]
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(KeyValueBuffers, method, {"write": write, "move": move}[method])
        with pytest.raises(MemoryError):
            cache.fit(new)
    assert_first_layer(cache)
    cache.fit(START)
    cache.heal()
    assert cache.ids == START
    assert error(cache) < 1e-5


def test_undo_gives_the_exact_cache_back() -> None:
    """Typing and taking it back leaves a cache that is exact again without running what stands after."""
    cache = LiveCache(model_of("qwen3"), policy="patch", effort=SMALL)
    cache.fit(START)
    cache.fit([*START[:60], 7, 8, 9, *START[60:]])
    assert not cache.is_exact
    report = cache.fit(START)
    assert report.exact
    assert report.encoded < 20
    assert error(cache) < 1e-5


def test_without_edits_in_the_middle_nothing_is_ever_stale() -> None:
    """Appending, going back and a longer suffix are exact under every policy, and only the new tokens are run."""
    for policy in ("exact", "patch", "auto"):
        cache = LiveCache(model_of("qwen3"), policy=policy, costs=Costs(1, 0, 0, 0))
        cache.fit(START[:100])
        assert cache.fit(START).encoded == len(START) - 100
        assert cache.fit(START[:90]).encoded == 1
        assert cache.is_exact
        assert error(cache) < 1e-5


def test_the_exact_policy_is_exact() -> None:
    """Under the policy "exact" an edit runs everything after it, and nothing is stale."""
    cache = LiveCache(model_of("qwen3"), policy="exact")
    cache.fit(START)
    report = cache.fit([*START[:60], 7, *START[60:]])
    assert (report.kept, report.encoded, report.stale) == (60, len(START) - 59, 0)
    assert report.reason == "the policy is exact"
    assert error(cache) < 1e-5


@pytest.mark.parametrize(
    ("token_s", "policy", "words"),
    [(1e-5, "exact", "nobody notices"), (1e-2, "patch", "instead of")],
)
def test_auto_follows_the_costs(token_s: float, policy: str, words: str) -> None:
    """Auto stays exact where that is fast, and patches where it is slow; the report says why."""
    cache = LiveCache(model_of("qwen3"), policy="auto", effort=SMALL, costs=Costs(0.001, token_s, 0.0, 0.0))
    cache.fit(START)
    report = cache.fit([*START[:20], 7, *START[20:]])
    assert report.policy == policy
    assert words in report.reason


def test_auto_does_not_patch_for_little() -> None:
    """A patch that would cost nearly as much as the exact way is not made."""
    cache = LiveCache(model_of("qwen3"), policy="auto", effort=SMALL, costs=Costs(1.0, 1e-4, 0.0, 0.0))
    cache.fit(START)
    report = cache.fit([*START[:20], 7, *START[20:]])
    assert report.policy == "exact"
    assert "saves too little" in report.reason


def test_auto_encodes_again_when_the_cursor_moves_through_the_text() -> None:
    """Text that was after the cursor and is before it now is not kept by auto, and the report says why."""
    model = model_of("qwen3")
    special = model.tokenizer.special
    first, middle, last = (special[f"<|fim_{name}|>"] for name in ("prefix", "suffix", "middle"))
    cache = LiveCache(model, policy="auto", effort=SMALL, costs=Costs(0.001, 1e-2, 0.0, 0.0))
    cache.fit([first, *START[:40], middle, *START[40:], last])
    assert cache.fit([first, *START[:42], middle, *START[42:], last]).policy == "patch"
    report = cache.fit([first, *START[:90], middle, *START[90:], last])
    assert report.policy == "exact"
    assert "the cursor moved" in report.reason


@pytest.mark.parametrize("name", UNMOVABLE)
def test_models_whose_keys_cannot_be_moved_are_exact(name: str) -> None:
    """Learned positions, latent attention: only the common beginning is kept, the report says why, and the scores are
    those of transformers' own pass (1e-5)."""
    model = model_of(name)
    cache = LiveCache(model, policy="patch")
    cache.fit(START)
    new = [*START[:60], 7, *START[60:]]
    report = cache.fit(new)
    refusal = rotation_of(model)
    assert isinstance(refusal, Refusal)
    assert (report.policy, report.reason, report.kept, report.stale) == ("exact", refusal.reason, 60, 0)
    assert report.logits is not None
    want = transformers_logits(model, new)
    assert (report.logits - want).abs().max() <= 1e-5 * want.abs().max()


def transformers_logits(model: Model, ids: list[int]) -> torch.Tensor:
    """Scores after the last token, without any code of ours."""
    module = model.plain_module()
    module.config._attn_implementation = "eager"
    with torch.inference_mode():
        return module(torch.tensor([ids]), use_cache=False).logits[0, -1]


def test_a_refused_model_reuses_prefixes_only() -> None:
    """Where the self-test fails the cache stays exact whatever the policy, and the report carries the reason."""
    cache = LiveCache(model_of("qwen3"), policy="patch", rotation=Refusal("positions are learned"))
    cache.fit(START)
    report = cache.fit([*START[:60], 7, *START[60:]])
    assert (report.policy, report.reason, report.kept, report.stale) == ("exact", "positions are learned", 60, 0)
    assert error(cache) < 1e-5


@pytest.mark.parametrize("name", LENGTH_DEPENDENT)
def test_frequencies_that_follow_the_length_are_not_mixed(name: str) -> None:
    """Dynamic NTK and longrope, across their limit and back: refused by name, equal to transformers' own pass."""
    model = model_of(name)
    cache = LiveCache(model, policy="patch", effort=SMALL)
    long = [*START, *START[::-1]]
    for ids in (START, long, [*long[:100], 7, 8, *long[100:]], START, [*START[:30], 7, *START[30:]]):
        report = cache.fit(ids)
        if len(ids) > 256:
            assert "frequencies" in report.reason
            assert report.exact
        reference = torch.tensor([ids])
        cache.heal()
        logits = cache.fit(ids).logits
        module = model.plain_module()
        module.config._attn_implementation = "sdpa"
        for part in module.modules():
            if hasattr(part, "max_seq_len_cached"):
                part.max_seq_len_cached = part.original_max_seq_len
        with torch.inference_mode():
            want = module(reference, use_cache=False).logits[0, -1]
        assert logits is not None
        assert (logits - want).abs().max() <= 1e-5 * want.abs().max()


def test_the_most_deviating_tokens_are_run() -> None:
    """With a budget for them, the stale tokens whose second-layer values are furthest off are the ones run again."""
    model = model_of("qwen3")
    new = [*START[:20], 7, 8, 9, *START[23:]]
    plain = LiveCache(model, policy="patch", effort=PIE)
    plain.fit(START)
    plain.fit(new)
    wrong = (stored(plain)[1][1] - stored(fresh(plain))[1][1]).square().sum((0, 2))
    cache = LiveCache(model, policy="patch", effort=replace(PIE, deviating=10))
    cache.fit(START)
    report = cache.fit(new)
    ranked = wrong[23:-1].argsort(descending=True)[:10] + 23
    assert report.encoded == 14
    expected = stored(fresh(cache))[1][1]
    assert (stored(cache)[1][1][:, ranked] - expected[:, ranked]).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.exhaustive)])
def test_edits_in_a_row_do_not_drift(count: int) -> None:
    """Patches without healing add up no error: the first layer stays a fresh encoding's (1e-5); no buffer grows."""
    generator = torch.Generator().manual_seed(5)
    cache, ids = LiveCache(model_of("guiderail"), policy="patch", effort=SMALL), START[:60]
    cache.fit(ids)
    for _ in range(count):
        at, removed, added = (int(torch.randint(0, n, (), generator=generator)) for n in (len(ids), 8, 8))
        removed = removed if len(ids) > 50 else 0
        ids = edited(ids, Edit(at / len(ids), removed, tuple(range(added))))
        cache.fit(ids)
    assert cache.ids == ids
    assert cache.buffers.capacity <= 512
    assert_first_layer(cache)
    cache.heal()
    assert error(cache) < 1e-5


def test_healing_keeps_to_its_budget_and_its_chunks() -> None:
    """Healing runs at most its budget, from the frontier on, and asks between chunks whether to go on."""
    cache = LiveCache(model_of("qwen3"), policy="patch", effort=PIE)
    long = (START * 4)[:500]
    cache.fit(long)
    cache.fit([*long[:10], 7, *long[10:]])
    assert cache.heal(30) == 30
    assert cache.exact_upto == 41
    asked = iter([False, True])
    assert cache.heal(cancelled=lambda: next(asked)) == HEAL_CHUNK
    assert cache.exact_upto == 41 + HEAL_CHUNK
    assert error(cache, list(range(cache.exact_upto))) < 1e-5


def test_a_long_cancelled_prompt_keeps_its_chunks() -> None:
    """A first encoding that is cancelled keeps the chunks that were run, exact."""
    cache = LiveCache(model_of("qwen3"))
    long = (START * 12)[: 2 * CHUNK]
    assert cache.fit(long[:1000], cancelled=lambda: True).logits is None
    assert cache.length == cache.exact_upto == CHUNK


def test_nothing_to_fit_is_refused() -> None:
    """An empty sequence has no last token, and going back too far is an error."""
    cache = LiveCache(model_of("qwen3"))
    with pytest.raises(ValueError, match="at least one token"):
        cache.fit([])
    with pytest.raises(ValueError, match="cannot forget 1 of 0"):
        cache.rollback(1)


def test_sixteen_bit_keys_are_not_rotated_for_ever() -> None:
    """In bfloat16 a rotated key is never called exact, and after ten rotations the cache encodes again."""
    model = load(str(tiny_folder("qwen3")), device="cpu", dtype="bfloat16", threads=1)
    cache = LiveCache(model, policy="patch", effort=PIE)
    cache.fit(START)
    cache.fit([*START[:10], 7, *START[10:]])
    assert not cache.fit(START).exact
    reports = [cache.fit([*START[:10], *range(1, 2 + n % 2), *START[10:]]) for n in range(MOST_ROTATIONS)]
    last = next(n for n, report in enumerate(reports) if "rotated more than" in report.reason)
    assert last == MOST_ROTATIONS - 2
    assert reports[last].exact


def test_sixteen_bit_healing_is_as_good_as_other_chunks() -> None:
    """In bfloat16 a healed cache is no further from fp32 than a full encoding in other chunks is."""
    name = str(tiny_folder("qwen3"))
    model, precise = (load(name, device="cpu", dtype=d, threads=1) for d in ("bfloat16", "float32"))
    cache, chunked, reference = LiveCache(model, policy="patch", effort=SMALL), LiveCache(model), LiveCache(precise)
    cache.fit(START)
    new = [*START[:40], 7, 8, 9, *START[40:]]
    cache.fit(new)
    cache.heal()
    for start in range(0, len(new), 50):
        chunked.feed(new[start : start + 50])
    reference.feed(new)

    def distance(other: LiveCache) -> float:
        pairs = [
            (a, b)
            for one, two in zip(stored(other), stored(reference), strict=True)
            for a, b in zip(one, two, strict=True)
        ]
        return max(float((a.float() - b).norm() / b.norm()) for a, b in pairs)

    assert distance(cache) <= 1.1 * distance(chunked)


def test_a_copy_is_a_cache_of_its_own() -> None:
    """What a copy does leaves the original as it was, and the copy begins as the original was."""
    cache = LiveCache(model_of("qwen3"), policy="patch", effort=SMALL)
    cache.fit(START)
    before = [k.clone() for k, _ in stored(cache)]
    copy = cache.copy(policy="patch", effort=PIE)
    copy.fit([*START[:60], 7, *START[60:]])
    copy.heal()
    assert error(copy) < 1e-5
    assert cache.ids == START
    assert cache.is_exact
    assert all(torch.equal(old, now) for old, (now, _) in zip(before, stored(cache), strict=True))


def test_the_self_test_is_run_when_there_is_something_to_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a first prompt, whose token somebody waits for; before the next one where there is idle time."""
    proofs: list[Model] = []
    monkeypatch.setattr("guiderail.cache.plan.rotation_of", lambda model: proofs.append(model) or rotation_of(model))
    idle, busy = (LiveCache(model_of("qwen3"), policy="auto") for _ in range(2))
    for cache in (idle, busy):
        cache.fit(START)
    assert not proofs
    idle.prove()
    assert len(proofs) == 1
    for cache in (idle, busy):
        cache.fit([*START[:10], 7, *START[10:]])
    assert len(proofs) == 2
