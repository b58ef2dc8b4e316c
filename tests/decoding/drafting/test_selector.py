"""Drafts change the speed and nothing else."""

import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stages.stage import StepState
from guiderail.decoding.stops import NeverStop
from tests.helpers.constraints import AllowedAfter
from tests.helpers.models import tiny_model

PROMPT = list(range(5, 60))
GREEDY = Sampling()
FREE = PassCosts((1, 2), (1.0, 1.0))


class Guess(Drafter):
    """A drafter that knows the answer and is right as often as it is told to be."""

    def __init__(self, answer: Sequence[int], right: float, seed: int = 0) -> None:
        self.answer = answer
        self.right = right
        self.random = random.Random(seed)
        self.seen: list[Verified] = []
        self.ended: list[int] = []

    def begin(self, ids: Sequence[int], project: object) -> None:
        self.start = len(ids)

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        tree, parent = TokenTree(), ROOT
        for token in self.answer[len(ids) - self.start :][:room][:6]:
            other = self.random.randrange(3, 200)
            first, second = (token, other) if self.random.random() < self.right else (other, token)
            node = tree.add(first, parent)
            if self.random.random() < 0.5:
                tree.add(second, parent)
            parent = node
        return Draft(tree, [0.5] * len(tree), labels=list(range(len(tree))))

    def learn(self, verified: Verified) -> None:
        self.seen.append(verified)

    def finish(self, ids: Sequence[int]) -> None:
        self.ended = list(ids)


def alternating() -> AllowedAfter:
    """Even and odd tokens in turn."""
    return AllowedAfter(lambda taken: range(len(taken) % 2, 600, 2))


def lift(logits: torch.Tensor, state: StepState) -> torch.Tensor:
    """A stage that looks at all of the sequence."""
    return logits + torch.sin(torch.arange(len(logits)) * float(sum(state.ids) % 97 + state.step))


def run(
    family: str, drafting: DraftSelector | None, *, tokens: int = 24, sampling: Sampling = GREEDY, **changes
) -> tuple[list[Event], Session]:
    model = tiny_model(family)
    session = Session(model)
    logits = session.feed(PROMPT)
    assert logits is not None
    constraints = changes.pop("constraints", ())
    # Bytes that always go on: random models write bytes that end a text early.
    texts = [b"x"] * len(model.tokenizer.token_bytes)
    request = DecodeRequest(token_bytes=texts, stop=NeverStop(), max_tokens=tokens, **changes)
    return list(Plain(sampling, 0, drafting).decode(session, logits, request, constraints)), session


def ids_of(events: Sequence[Event]) -> list[int]:
    return [event.id for event in events if isinstance(event, TokenEvent)]


@pytest.mark.parametrize("family", ["qwen3", "mistral", "gemma2", "starcoder2"])
@pytest.mark.parametrize("right", [0.0, 0.6, 1.0])
def test_greedy_tokens_are_the_same_with_any_draft(family: str, right: float) -> None:
    """However good the drafts are; and so are the end, the sequence left behind, and the log-probabilities."""
    plain, before = run(family, None)
    guess = Guess(ids_of(plain), right)
    drafted, after = run(family, DraftSelector([guess], FREE))
    assert ids_of(drafted) == ids_of(plain)
    assert drafted[-1] == plain[-1]
    assert after.ids == before.ids == PROMPT + ids_of(plain)[: len(before.ids) - len(PROMPT)]
    for one, other in zip(plain, drafted, strict=True):
        if isinstance(one, TokenEvent) and isinstance(other, TokenEvent):
            assert other.logprob == pytest.approx(one.logprob, abs=1e-4)
    assert after.passes < before.passes if right == 1.0 else after.passes <= before.passes


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.integers(0, 1000), st.booleans(), st.booleans(), st.booleans())
def test_drafts_work_under_stages_constraints_and_sampling(
    right: float, seed: int, staged: bool, constrained: bool, sampled: bool
) -> None:
    """The same seed draws the same tokens; every constraint is told every token once and in order."""
    changes = {
        "stages": [lift] if staged else [],
        "sampling": Sampling(temperature=0.9 if sampled else 0.0, top_p=0.95, seed=seed),
    }
    one, other = alternating(), alternating()
    plain, _ = run("qwen3", None, constraints=[one] if constrained else [], **changes)
    drafting = DraftSelector([Guess(ids_of(plain), right, seed)], FREE)
    drafted, _ = run("qwen3", drafting, constraints=[other] if constrained else [], **changes)
    assert ids_of(drafted) == ids_of(plain)
    assert other.taken == one.taken


def test_perfect_drafts_take_a_pass_for_many_tokens() -> None:
    plain, _ = run("qwen3", None)
    guess = Guess(ids_of(plain), 1.0)
    guess.random.random = lambda: 0.7  # no second candidates, never wrong
    _, session = run("qwen3", DraftSelector([guess], FREE))
    assert session.passes == 1 + 4  # the prompt, and 23 tokens after the first, 1 + 6 a pass


def test_a_drafter_learns_what_came_of_every_pass() -> None:
    """The sequence in front, what was run, and the nodes that were decoded: together they spell the text."""
    plain, _ = run("qwen3", None)
    guess = Guess(ids_of(plain), 0.6)
    run("qwen3", DraftSelector([guess], FREE))
    for verified in guess.seen:
        decoded = [verified.tree.tokens[node] for node in verified.path]
        assert [*verified.ids, *decoded] == (PROMPT + ids_of(plain))[: len(verified.ids) + len(decoded)]
        assert verified.draft is None or verified.logits.shape[0] == len(verified.tree)
    assert guess.ended == PROMPT + ids_of(plain)


def test_a_cancel_keeps_what_was_decoded() -> None:
    plain, _ = run("qwen3", None)
    answers = iter([False, False, True])
    drafted, session = run("qwen3", DraftSelector([Guess(ids_of(plain), 1.0)], FREE), cancelled=lambda: next(answers))
    assert isinstance(drafted[-1], FinishedEvent) and drafted[-1].reason == "cancelled"
    assert 1 < len(ids_of(drafted)) < 24
    assert ids_of(drafted) == ids_of(plain)[: len(ids_of(drafted))]
    assert session.ids == PROMPT + ids_of(drafted)[:-1]


def test_a_draft_is_cut_to_what_pays() -> None:
    """The size with the most expected tokens in the time of one; nothing where none is worth it."""
    tree = TokenTree.chain([3, 4, 5, 6])
    tree.add(7)
    chances = [0.9, 0.8, 0.2, 0.1, 0.3]

    class Fixed(Guess):
        def propose(self, ids, constraints, room) -> Draft:
            return Draft(tree, chances)

    def cut(*seconds: float) -> list[int] | None:
        draft = DraftSelector([Fixed([], 1.0)], PassCosts((1, 2, 3, 4, 5, 6), seconds)).draft([1], [], 9)
        return draft.tree.tokens if draft else None

    assert cut(1, 1, 1, 1, 1, 1) == [3, 4, 5, 6, 7]
    assert cut(1, 1.1, 1.2, 1.5, 2, 2) == [3, 4]  # 2.7 / 1.2
    assert cut(1, 1.1, 1.2, 1.2, 2, 2) == [3, 4, 7]  # 3.0 / 1.2
    assert cut(1, 1.9, 3, 4, 5, 6) is None


def test_the_best_nodes_of_a_draft_keep_their_parents() -> None:
    tree = TokenTree.chain([3, 4, 5])
    tree.add(8, tree.add(7))
    q = torch.ones(9)
    draft = Draft(tree, [0.9, 0.5, 0.1, 0.8, 0.7], {ROOT: q, 0: q, 3: q}, labels=[10, 11, 12, 13, 14])
    best = draft.best(3)
    assert best.tree.tokens == [3, 7, 8]
    assert best.tree.parents == [ROOT, ROOT, 1]
    assert best.labels == [10, 13, 14]
    assert sorted(best.drawn) == [ROOT, 0, 1]
