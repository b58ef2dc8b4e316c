"""Speculative decoding gives what plain decoding gives, whatever is drafted and whenever answers come."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.methods.speculative import Speculative
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stages.stage import StepState
from guiderail.decoding.stops import LineStop, NeverStop
from tests.decoding.drafting.test_selector import FREE, Guess
from tests.decoding.methods.test_deferred_choice import EASY, EVERY, RARE, TABLE, TRIE, Late
from tests.helpers.constraints import AllowedAfter, OneOf
from tests.helpers.models import tiny_model

MODEL = tiny_model("qwen3")
samplings = st.one_of(
    st.just(Sampling()),
    st.builds(Sampling, temperature=st.sampled_from([0.5, 1.0, 2.0]), top_p=st.just(0.95), seed=st.integers(0, 99)),
)


def lift(logits: torch.Tensor, state: StepState) -> torch.Tensor:
    """A stage that looks at all of the sequence."""
    return logits + torch.sin(torch.arange(len(logits)) * float(sum(state.ids) % 97 + state.step))


def decode(
    method: Plain | Speculative, prompt: Sequence[int], request: DecodeRequest, constraints: Sequence[Constraint]
) -> tuple[list[Event], list[int]]:
    """The events, and the sequence that is left."""
    session = Session(MODEL)
    logits = session.feed(prompt)
    assert logits is not None
    return list(method.decode(session, logits, request, constraints)), session.ids


def request(*, staged: bool = False, line: bool = False, passes: int = 99, most: int = 16) -> DecodeRequest:
    """A request that is cancelled before pass number `passes`."""
    asked: list[bool] = []
    return DecodeRequest(
        token_bytes=TABLE,
        stop=LineStop() if line else NeverStop(),
        max_tokens=most,
        end_loops=True,
        stages=[lift] if staged else [],
        cancelled=lambda: asked.append(True) or len(asked) > passes,
    )


@settings(max_examples=40, deadline=None)
@given(
    samplings, st.lists(st.integers(5, 90), min_size=1, max_size=9), st.booleans(), st.booleans(), st.booleans(),
    st.integers(1, 20), st.integers(1, 20),
)  # fmt: skip
def test_without_drafts_and_late_answers_it_is_plain_decoding(
    sampling: Sampling, prompt: list[int], staged: bool, line: bool, constrained: bool, passes: int, most: int
) -> None:
    """Every event, the sequence that is left and what the constraint was told are equal, bit for bit."""
    found = []
    for method in (Plain(sampling, 1), Speculative(Sampler(sampling, 1))):
        rule = AllowedAfter(lambda taken: range(len(taken) % 2, len(TABLE), 2))
        asked = request(staged=staged, line=line, passes=passes, most=most)
        found.append((*decode(method, prompt, asked, [rule] if constrained else []), rule.taken))
    assert found[0] == found[1]


@settings(max_examples=40, deadline=None)
@given(
    samplings, st.lists(st.integers(5, 90), min_size=1, max_size=9), st.booleans(),
    st.sampled_from([EASY, RARE, EVERY]), st.integers(0, 20), st.floats(0, 1), st.integers(0, 99),
)  # fmt: skip
def test_drafts_and_late_answers_change_no_event(
    sampling: Sampling, prompt: list[int], staged: bool, names: list[str], asked: int, right: float, seed: int
) -> None:
    """Tokens and the end are those of plain decoding with an answer that is there at once; figures to 1e-4."""
    legal = Names(TRIE, names)
    plain, _ = decode(Plain(sampling), prompt, request(staged=staged), [OneOf(legal, TABLE)])
    drafting = DraftSelector([Guess([one.id for one in plain if isinstance(one, TokenEvent)], right, seed)], FREE)
    late = Late(legal, asked)
    assert late.may_await
    drafted, _ = decode(Plain(sampling, 0, drafting), prompt, request(staged=staged), [late])
    assert len(drafted) == len(plain)
    for one, other in zip(plain, drafted, strict=True):
        if isinstance(one, TokenEvent) and isinstance(other, TokenEvent):
            assert (other.id, other.data) == (one.id, one.data)
            assert other.logprob == pytest.approx(one.logprob, abs=1e-4)
        else:
            assert isinstance(one, FinishedEvent) and other == one
