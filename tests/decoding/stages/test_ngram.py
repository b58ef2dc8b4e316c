"""N-gram statistics of a project, and the stage that lends them to a model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.stages.ngram import LIVE_TIMES, WEIGHTS, Evidence, FimMarks, NgramMix, gather, mix, split_prompt
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stages.stage import StepState

VOCABULARY = 12
texts = st.lists(st.integers(0, 5), max_size=30)
PREFIX, SUFFIX, MIDDLE = 9, 10, 11
MARKS = FimMarks(PREFIX, SUFFIX, MIDDLE)


def brute_force(texts: list[list[int]], context: list[int]) -> Counter[int]:
    """What followed a context, looked up in the texts themselves."""
    k = len(context)
    return Counter(text[i] for text in texts for i in range(k, len(text)) if text[i - k : i] == context)


@given(st.lists(texts, max_size=4), texts, st.integers(0, 4))
def test_followers_equal_a_brute_force_count(many: list[list[int]], history: list[int], order: int) -> None:
    counts = NgramCounts((0, 1, 2, 3, 4))
    for number, text in enumerate(many):
        counts.set_text(str(number), text)
    expected = brute_force(many, history[len(history) - order :]) if order <= len(history) else Counter()
    assert dict(counts.followers(history, order)) == dict(expected)


@given(texts, texts)
def test_adding_then_removing_a_text_restores_the_statistics(kept: list[int], passing: list[int]) -> None:
    counts, alone = NgramCounts(), NgramCounts()
    for table in (counts, alone):
        table.set_text("kept", kept)
    counts.set_text("passing", passing)
    counts.discard_text("passing")
    assert counts == alone


@given(st.lists(texts, min_size=1, max_size=5))
def test_edits_of_a_text_leave_the_statistics_of_its_last_state(states: list[list[int]]) -> None:
    counts, fresh = NgramCounts(), NgramCounts()
    for state in states:
        counts.set_text("file", state)
    fresh.set_text("file", states[-1])
    assert counts == fresh


@given(st.lists(st.tuples(st.booleans(), texts, st.integers(0, 20)), max_size=6), texts)
def test_what_is_counted_in_slices_may_end_anywhere(steps: list[tuple[bool, list[int], int]], last: list[int]) -> None:
    """However often reading or forgetting a text was left half done, in the end exactly its last state counts."""
    counts, fresh = NgramCounts(), NgramCounts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guiderail.decoding.stages.ngram_counts.SLICE", 3)
        for comes, ids, slices in steps:
            work = counts.read_text("file", ids) if comes else counts.forget_text("file")
            for _ in islice(work, slices):
                pass
        for _ in counts.read_text("file", last):
            pass
    fresh.set_text("file", last)
    assert counts == fresh
    assert counts.texts == {"file": last}
    counts.discard_text("file")
    assert counts == NgramCounts() and not counts.holds("file")


def test_a_text_can_be_taken_out_for_a_while() -> None:
    counts = NgramCounts()
    counts.set_text("a", [1, 2, 3])
    counts.set_text("b", [4, 5])
    with counts.without("a"):
        assert not counts.followers([1], 1) and counts.followers([4], 1)
    with counts.without("unknown"):
        pass
    assert counts.followers([1], 1) == {2: 1}


def test_ids_of_the_largest_vocabularies_do_not_collide() -> None:
    counts = NgramCounts((2,))
    counts.set_text("file", [2**18 - 1, 0, 7, 0, 2**18 - 1, 8])
    assert counts.followers([2**18 - 1, 0], 2) == {7: 1}
    assert counts.followers([0, 2**18 - 1], 2) == {8: 1}


@given(texts, texts)
def test_gathered_probabilities_are_a_distribution(text: list[int], history: list[int]) -> None:
    counts = NgramCounts()
    counts.set_text("file", text)
    evidence = gather(NgramCounts(), counts, history)
    if evidence is not None:
        assert sum(evidence.probabilities.values()) == pytest.approx(1)
        assert 0 < evidence.escape < 1


def test_what_was_just_written_counts_as_several_of_the_project() -> None:
    live, project, joined = NgramCounts(), NgramCounts(), NgramCounts()
    live.set_text("here", [1, 2, 3, 1, 2, 4])
    project.set_text("there", [1, 2, 4, 2, 3])
    for copy in range(LIVE_TIMES):
        joined.set_text(str(copy), [1, 2, 3, 1, 2, 4])
    joined.set_text("there", [1, 2, 4, 2, 3])
    split, one = gather(live, project, [1, 2]), gather(NgramCounts(), joined, [1, 2])
    assert split is not None and one is not None
    assert split.probabilities == pytest.approx(one.probabilities)
    assert (split.order, split.escape) == (one.order, pytest.approx(one.escape))


def test_ppm_by_hand() -> None:
    # after 1 2: 3 once, so half; after 2: 3 once and 4 once, so a quarter each of the other half
    project = NgramCounts()
    project.set_text("there", [1, 2, 3, 0, 2, 4])
    evidence = gather(NgramCounts(), project, [1, 2])
    assert evidence is not None and evidence.order == 2
    assert evidence.escape == pytest.approx(1 / 4)
    assert evidence.probabilities == pytest.approx({3: (1 / 2 + 1 / 8) / (3 / 4), 4: (1 / 8) / (3 / 4)})


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=VOCABULARY, max_size=VOCABULARY),
    st.dictionaries(st.integers(0, VOCABULARY - 1), st.integers(1, 9), min_size=1),
    st.floats(0.01, 0.99),
)
def test_mixing_gives_the_weighted_sum_of_both_distributions(
    scores: list[float], times: dict[int, int], escape: float
) -> None:
    logits = torch.tensor(scores)
    evidence = Evidence({token: n / sum(times.values()) for token, n in times.items()}, 2, escape)
    own = logits.double().log_softmax(-1)
    share = WEIGHTS.weight(evidence, float(own.max()))
    lent = torch.zeros(VOCABULARY, dtype=torch.float64)
    for token, p in evidence.probabilities.items():
        lent[token] = p
    mixed = mix(logits, evidence, WEIGHTS).double().softmax(-1)
    assert torch.allclose(mixed, (1 - share) * own.exp() + share * lent, atol=1e-5)


def test_a_forbidden_token_stays_forbidden() -> None:
    logits = torch.zeros(VOCABULARY)
    logits[3] = -math.inf
    both = mix(logits, Evidence({3: 0.5, 4: 0.5}, 1, 0.5), WEIGHTS)
    assert both[3] == -math.inf and both[4] > 0
    assert mix(logits, Evidence({3: 1.0}, 1, 0.5), WEIGHTS) is logits


def test_without_evidence_the_scores_are_the_same_bit_for_bit() -> None:
    logits = torch.randn(VOCABULARY)
    stage = NgramMix(NgramCounts(), WEIGHTS)
    assert stage(logits, StepState([0, 1, 2, 3], 0)) is logits


def test_only_candidates_are_touched_and_the_input_is_left_alone() -> None:
    logits = torch.randn(VOCABULARY)
    before = logits.clone()
    project = NgramCounts()
    project.set_text("other", [1, 2, 3, 1, 2, 4])
    changed = NgramMix(project, WEIGHTS)(logits, StepState([1, 2], 0))
    assert torch.equal(logits, before)
    assert set((changed != logits).nonzero().flatten().tolist()) == {3, 4}


def test_what_the_project_repeats_becomes_likelier_than_before() -> None:
    project = NgramCounts()
    project.set_text("other", [1, 2, 3, 4, 5] * 4)
    changed = NgramMix(project, WEIGHTS)(torch.zeros(VOCABULARY), StepState([1, 2, 3, 4], 0))
    assert int(changed.argmax()) == 5


marked = st.builds(lambda a, b, c: [*a, PREFIX, SUFFIX, *b, MIDDLE, *c], texts, texts, texts)
steps = st.lists(st.tuples(texts | marked, st.lists(st.integers(0, 5), max_size=6)), max_size=5)


@given(steps)
def test_the_stage_is_a_function_of_the_ids_whatever_it_saw_before(steps: list[tuple[list[int], list[int]]]) -> None:
    """Neither what was decoded nor other prompts leave anything after, not even in how sums are rounded."""
    project = NgramCounts()
    project.set_text("other", [0, 1, 2, 3, 4, 5, 0, 1, 3])
    logits = torch.linspace(-1, 1, VOCABULARY)
    used = NgramMix(project, WEIGHTS, MARKS)
    for prompt, decoded in steps:
        state = StepState(prompt + decoded, len(decoded))
        assert torch.equal(used(logits, state), NgramMix(project, WEIGHTS, MARKS)(logits, state))


@pytest.mark.parametrize("prompt", [[0, 1, 2, 3], [PREFIX, 0, 1, SUFFIX, 3, MIDDLE]])
def test_a_prompt_is_counted_once(prompt: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = NgramMix(NgramCounts(), WEIGHTS, MARKS)
    logits = torch.zeros(VOCABULARY)
    stage(logits, StepState(prompt, 0))
    monkeypatch.setattr(stage, "_turn_to", lambda prompt: pytest.fail("counted again"))
    for decoded in ([4], [4, 5], [4, 0, 1], [2]):
        stage(logits, StepState(prompt + decoded, len(decoded)))


def test_in_every_fim_layout_decoding_continues_the_prefix() -> None:
    psm = [7, PREFIX, 1, 2, SUFFIX, 3, MIDDLE, 4]
    spm = [7, PREFIX, SUFFIX, 3, MIDDLE, 1, 2, 4]
    suffix_first = [7, SUFFIX, 3, PREFIX, 1, 2, MIDDLE, 4]
    for prompt in (psm, spm, suffix_first):
        texts, history = split_prompt(prompt, MARKS)
        assert history == [1, 2, 4]
        assert texts == [[7], [3]]
    assert split_prompt([1, 2, 3], MARKS) == ([], [1, 2, 3])


def test_more_evidence_never_lowers_the_share() -> None:
    weak, strong = Evidence({1: 0.5, 2: 0.5}, 2, 0.5), Evidence({1: 0.9, 2: 0.1}, 2, 0.05)
    assert WEIGHTS.weight(weak, -1.0) < WEIGHTS.weight(strong, -1.0)


def test_the_share_stays_a_probability_at_the_ends_of_float_range() -> None:
    extreme = replace(WEIGHTS, long=(1e6,) * 5)
    assert 0 < extreme.weight(Evidence({1: 1.0}, 5, 1e-300), 0.0) < 1
    assert 0 < replace(WEIGHTS, long=(-1e6,) * 5).weight(Evidence({1: 1.0}, 5, 0.5), 0.0) < 1
