"""Texts that are drawn side by side against the same texts drawn one by one."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.batch_sampling import SampledText, sample_batch
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import LineStop, NeverStop
from tests.decoding.methods.test_deferred_choice import EASY, RARE, TRIE, Late, Names
from tests.helpers.models import FAMILIES, tiny_model
from tests.helpers.toy import ToySession, random_scores

TABLE = [b"", b"a", b"b", b"\n"]


def drawn(session, logits: torch.Tensor, request: DecodeRequest, sampling: Sampling, constraints: Sequence) -> list:
    samplers = [Sampler(sampling, index) for index in range(len(constraints))]
    draws = [
        SampledText(request, c, sampler, session.ids, logits) for c, sampler in zip(constraints, samplers, strict=True)
    ]
    sample_batch(session, draws, request.cancelled)
    return [list(one.events()) for one in draws]


def ids(events: Sequence[Event]) -> list[int]:
    return [event.id for event in events if isinstance(event, TokenEvent)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.3, 1.0, 2.0]))
def test_texts_are_those_drawn_one_by_one(seed: int, count: int, temperature: float) -> None:
    """Tokens, scores and ends are equal, and the sequence stays as it was."""
    scores, sampling = random_scores(len(TABLE), seed), Sampling(temperature=temperature, seed=seed)
    request = DecodeRequest(token_bytes=TABLE, stop=LineStop(), max_tokens=6)
    session = ToySession(scores, [1, 2])
    alone = [
        list(Plain(sampling, index).decode(ToySession(scores, [1, 2]), scores([1, 2]), request, ()))  # type: ignore[arg-type]
        for index in range(count)
    ]
    assert drawn(session, scores([1, 2]), request, sampling, [()] * count) == alone
    assert session.ids == [1, 2]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_architecture_draws_the_same_side_by_side(family: str) -> None:
    """Through tree attention too."""
    model = tiny_model(family)
    request = DecodeRequest(token_bytes=[b"x"] * len(model.tokenizer.token_bytes), stop=NeverStop(), max_tokens=12)
    sampling, prompt = Sampling(temperature=0.8, top_p=0.9, seed=3), range(5, 60)
    session = Session(model)
    logits = session.feed(prompt)
    assert logits is not None
    together = drawn(session, logits, request, sampling, [()] * 4)
    for index, events in enumerate(together):
        alone = Session(model)
        logits = alone.feed(prompt)
        assert logits is not None
        assert ids(events) == ids(list(Plain(sampling, index).decode(alone, logits, request, ())))
    assert session.ids == list(prompt)


@pytest.mark.parametrize("asked", [[0, 1000, 3], [1000, 1000, 1000], [2, 0, 5]])
@pytest.mark.parametrize("names", [EASY, RARE], ids=["easy", "rare"])
def test_answers_may_come_at_any_time(asked: list[int], names: list[str]) -> None:
    """A text that waits for an answer is left out meanwhile, and says what it says when the answer is there at once."""
    model, legal = tiny_model("qwen3"), Names(TRIE, names)
    request = DecodeRequest(token_bytes=model.tokenizer.token_bytes, stop=NeverStop(), max_tokens=12)
    found = []
    for counts in ([0, 0, 0], asked):
        session = Session(model)
        logits = session.feed([5, 6, 7, 5, 6])
        assert logits is not None
        found.append(
            drawn(session, logits, request, Sampling(temperature=1.5), [[Late(legal, count)] for count in counts])
        )
    assert [ids(events) for events in found[0]] == [ids(events) for events in found[1]]


def test_a_token_costs_one_pass_for_all_texts() -> None:
    session = ToySession(lambda _: torch.tensor([-99.0, 1.0, 1.0, -99.0]))
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=5)
    drawn(session, torch.tensor([-99.0, 1.0, 1.0, -99.0]), request, Sampling(temperature=1), [()] * 6)
    assert session.passes == 4


def test_cancelled_each_text_gives_what_it_has() -> None:
    answers = iter([False, False])
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=9, cancelled=lambda: next(answers, True))
    scores = torch.tensor([-99.0, 1.0, 1.0, -99.0])
    for events in drawn(ToySession(lambda _: scores), scores, request, Sampling(temperature=1), [(), ()]):
        assert len(ids(events)) == 2
        assert isinstance(end := events[-1], FinishedEvent)
        assert end.reason == "cancelled"
