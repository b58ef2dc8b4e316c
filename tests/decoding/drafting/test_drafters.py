"""The drafters: what they propose, and that nothing is decoded differently because of them."""

import random
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.tree import TokenTree
from guiderail.decoding.drafting.draft import Verified
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.recycling import Recycling
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.drafting.stand import Stand
from guiderail.decoding.drafting.suffix import LONGEST, SHORTEST, IndexedText, Suffix
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stops import NeverStop
from tests.helpers.models import tiny_model

CHEAP = PassCosts((1, 2, 24), (1.0, 1.0, 1.5))


def decode(
    session: Session, prompt: list[int], drafting: DraftSelector | None, tokens: int, sampling: Sampling
) -> list[int]:
    texts = [b"x"] * len(session.model.tokenizer.token_bytes)
    logits = session.fit(prompt)
    assert logits is not None
    request = DecodeRequest(token_bytes=texts, stop=NeverStop(), max_tokens=tokens)
    events = list(Plain(sampling, 0, drafting).decode(session, logits, request, ()))
    return [event.id for event in events if isinstance(event, TokenEvent)]


def repetitive(source: random.Random) -> list[int]:
    """Ids of which some runs come again."""
    run = [source.randrange(3, 300) for _ in range(source.randrange(4, 9))]
    return [*run, *(source.randrange(3, 300) for _ in range(6)), *run[: source.randrange(2, len(run))]]


@pytest.mark.parametrize("prompts", [100, pytest.param(1000, marks=pytest.mark.exhaustive)])
def test_greedy_tokens_are_the_same(prompts: int) -> None:
    """With each drafter and with all of them; and they do draft, and are right at times."""
    model, source = tiny_model("qwen3"), random.Random(0)
    vocabulary = len(model.tokenizer.token_bytes)
    drafters = [Suffix(), Recycling(vocabulary, nodes=16), Stand(vocabulary, nodes=16)]
    choices = [*([one] for one in drafters), drafters]
    plain, drafted = Session(model), Session(model)
    passes = 0
    for number in range(prompts // len(choices)):
        prompt, before = repetitive(source), plain.passes
        expected = decode(plain, prompt, None, 10, Sampling())
        passes += len(choices) * (plain.passes - before)
        for drafting in choices:
            assert decode(drafted, prompt, DraftSelector(drafting, CHEAP), 10, Sampling()) == expected, (
                f"prompt {number}"
            )
    assert drafted.passes < 0.8 * passes


def test_drawn_drafts_leave_the_distribution_as_it_is() -> None:
    """Chi-square of STAND's sampled pairs of tokens against the enumerated distribution."""
    model = tiny_model("qwen3")
    session, prompt = Session(model), list(range(5, 20))
    sampling = {"temperature": 0.7, "top_k": 3}
    texts = [b"x"] * len(model.tokenizer.token_bytes)
    logits = session.fit(prompt)
    assert logits is not None
    expected = _enumerated(session, logits[: len(texts)], sampling)
    stand = Stand(len(texts), nodes=12, seed=1)
    counts, draws = dict.fromkeys(expected, 0), 800
    request = DecodeRequest(token_bytes=texts, stop=NeverStop(), max_tokens=3)
    before = session.passes
    for seed in range(draws):
        method = Plain(Sampling(seed=seed, **sampling), 0, DraftSelector([stand], CHEAP, sampling=Sampling(**sampling)))
        ids = [e.id for e in method.decode(session, logits, request, ()) if isinstance(e, TokenEvent)]
        counts[tuple(ids)] += 1
        session.rollback(session.length - len(prompt))
    chi_square = sum((counts[pair] - draws * p) ** 2 / (draws * p) for pair, p in expected.items())
    assert chi_square < 54.1  # 26 degrees of freedom, one in a thousand
    assert session.passes - before < 1.7 * draws  # two passes each without drafts


def _enumerated(session: Session, first: torch.Tensor, sampling: dict) -> dict[tuple[int, ...], float]:
    """The probability of every three tokens that can be drawn."""

    def top(logits: torch.Tensor) -> dict[int, float]:
        best = (logits / sampling["temperature"]).topk(sampling["top_k"])
        return dict(zip(best.indices.tolist(), best.values.softmax(-1).tolist(), strict=True))

    found, size = {}, len(first)
    for a, pa in top(first).items():
        tree = TokenTree.chain([a])
        after_a = top(session.feed_tree(tree)[0, :size])
        for b, pb in after_a.items():
            after_b = top(session.feed_tree(TokenTree.chain([a, b]))[1, :size])
            found |= {(a, b, c): pa * pb * pc for c, pc in after_b.items()}
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=60), st.lists(st.integers(0, 2), min_size=SHORTEST, max_size=40))
def test_the_longest_match_is_the_longest(text: list[int], wanted: list[int]) -> None:
    """Against looking everywhere; of equally long ones the last, and only where something follows."""
    best = (0, 0)
    for end in range(len(text)):
        most = min(end, len(wanted), LONGEST)
        length = next((n for n in range(most, 0, -1) if text[end - n : end] == wanted[-n:]), 0)
        if length >= SHORTEST and length >= best[0]:
            best = length, end
    assert IndexedText(text).longest(wanted) == best


@given(st.lists(st.integers(0, 2), max_size=20), st.integers(0, 20), st.lists(st.integers(0, 2), max_size=20))
def test_a_text_that_was_cut_is_as_if_it_had_never_been_longer(text: list[int], length: int, more: list[int]) -> None:
    cut = IndexedText(text)
    cut.cut(length)
    cut.extend(more)
    assert vars(cut) == vars(IndexedText([*text[:length], *more]))


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=4))
def test_what_decoding_went_back_on_is_not_copied(prompt: list[int], ends: list[list[int]]) -> None:
    """A drafter that saw other ends of the text drafts as one that saw the last one alone."""
    seen, fresh = Suffix(), Suffix()
    seen.begin(prompt, None)
    fresh.begin(prompt, None)
    drafts = [seen.propose([*prompt, *end], [], 8) for end in ends]
    if ends:
        wanted, found = fresh.propose([*prompt, *ends[-1]], [], 8), drafts[-1]
        assert (wanted is None) is (found is None)
        assert wanted is None or found is None or wanted.tree.tokens == found.tree.tokens


def test_copies_come_from_the_longest_match_wherever_it_is() -> None:
    """In the prompt, in a file of the project, or in what was decoded for an earlier prompt."""
    suffix, project = Suffix(length=3), NgramCounts()
    project.set_text("a.py", [9, 1, 2, 3, 4, 50, 51, 52, 53])
    suffix.begin([1, 2, 3, 4], project)
    draft = suffix.propose([1, 2, 3, 4], (), 9)
    assert draft is not None and draft.tree.tokens == [50, 51, 52]
    own = [2, 3, 4, 60, 9, 1, 2, 3, 4, 61, 8, 9, 1, 2, 3, 4]
    suffix.begin(own, project)
    draft = suffix.propose(own, (), 9)
    assert draft is not None and draft.tree.tokens == [61, 8, 9]
    suffix.finish([*own, 70, 71, 72, 73])
    suffix.begin([70, 71, 72], None)
    draft = suffix.propose([70, 71, 72], (), 9)
    assert draft is not None and draft.tree.tokens == [73]
    assert suffix.propose([70, 71, 72], (), 0) is None


def test_a_copy_that_was_right_is_trusted_more() -> None:
    suffix = Suffix(length=2)
    ids = [1, 2, 3, 4, 5, 1, 2, 3]

    def chance() -> float:
        suffix.begin(ids, None)
        draft = suffix.propose(ids, (), 9)
        assert draft is not None
        draft.owner = suffix
        tree = TokenTree.chain([3, *draft.tree.tokens])
        suffix.learn(Verified(ids[:-1], tree, torch.zeros(3, 9), [0, 1, 2], draft))
        return draft.chances[0]

    first = chance()
    assert [chance() for _ in range(20)][-1] > first + 0.2


def scores(*rows: dict[int, float]) -> torch.Tensor:
    table = torch.full((len(rows), 12), -9.0)
    for row, values in zip(table, rows, strict=True):
        for token, value in values.items():
            row[token] = value
    return table


def test_recycling_drafts_the_candidates_of_candidates() -> None:
    """Each node's children are the likeliest tokens after it when it was last run, rejected tokens too."""
    recycling = Recycling(12, nodes=200, depth=2)
    tree = TokenTree.chain([1, 2])
    tree.add(3, 0)
    recycling.learn(Verified([], tree, scores({2: 5, 3: 4}, {4: 5}, {5: 5, 6: 4}), [0, 1]))
    draft = recycling.propose([1], (), 9)
    assert draft is not None

    def children(node: int) -> list[int]:
        return [draft.tree.tokens[child] for child in draft.tree.children(node)]

    assert children(-1)[:2] == [2, 3]
    two, three = draft.tree.children(-1)[:2]
    assert children(two)[:1] == [4]
    assert children(three)[:2] == [5, 6]
    assert max(draft.tree.depths) == 1
    for node, parent in enumerate(draft.tree.parents):
        assert parent == -1 or draft.chances[node] < draft.chances[parent]


def test_stand_averages_over_visits_and_asks_the_longest_context() -> None:
    stand = Stand(12, nodes=4)
    for first in (0.9, 0.5):
        logits = scores({7: torch.tensor(first).log().item(), 8: torch.tensor(1 - first).log().item()})
        stand.learn(Verified([1, 2, 3], TokenTree.chain([4]), logits, [0]))
    row = stand._table[1, 2, 3, 4].probabilities
    assert list(row)[:2] == [7, 8]
    assert row[7] == pytest.approx(0.7, abs=1e-3)
    assert row[8] == pytest.approx(0.3, abs=1e-3)
    stand.learn(Verified([9, 3], TokenTree.chain([4]), scores({10: 5.0}), [0]))
    for context, expected in (([1, 2, 3, 4], 7), ([9, 3, 4], 10), ([5, 3, 4], 7)):
        draft = stand.propose(context, (), 1)
        assert draft is not None and draft.tree.tokens[0] == expected


def test_what_is_run_of_a_drawn_draft_does_not_depend_on_what_was_drawn() -> None:
    """The plan is the same whatever comes; a node's place in it is its label."""
    stand = Stand(12, nodes=6, seed=0)
    for a, b in product(range(1, 5), range(1, 5)):
        stand.learn(Verified([a], TokenTree.chain([b]), scores({1: 2.0, 2: 2.0, 3: 1.0}), [0]))
    drafts = [stand.propose([1, 2], (), 3) for _ in range(20)]
    assert len({tuple(draft.plan) for draft in drafts if draft}) == 1
    assert len({tuple(draft.tree.tokens) for draft in drafts if draft}) > 1
    for draft in drafts:
        assert draft is not None
        assert [draft.plan[label] for label in draft.labels] == draft.chances
        assert set(draft.drawn) >= {-1}
