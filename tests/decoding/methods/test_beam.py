"""Beam search against all texts there are."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.beam import Beam
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import LineStop
from tests.helpers.models import tiny_model
from tests.helpers.toy import ToySession, random_scores

TABLE = [b"", b"a", b"b", b"\n"]
Scores = Callable[[Sequence[int]], torch.Tensor]


def request(**changes) -> DecodeRequest:
    return DecodeRequest(**({"token_bytes": TABLE, "stop": LineStop(), "max_tokens": 4} | changes))


def texts(events: Sequence[Event]) -> list[tuple[str, str, list[TokenEvent]]]:
    """The texts of one decoding: what each says, why it ends, and its tokens."""
    found, tokens = [], []
    for event in events:
        if isinstance(event, FinishedEvent):
            found.append((event.text, event.reason, tokens))
            tokens = []
        elif isinstance(event, TokenEvent):
            tokens.append(event)
    return found


def enumerated(scores: Scores, asked: DecodeRequest) -> list[tuple[float, PartialText]]:
    """Every text that can end, with its mean log-probability, the best first."""
    found = []

    def visit(ids: list[int], total: float, text: PartialText) -> None:
        if text.finish:
            found.append((total / len(ids), text))
            return
        logprobs = scores(ids).double().log_softmax(-1)
        for token in range(len(TABLE)):
            visit([*ids, token], total + float(logprobs[token]), text.add(token))

    visit([], 0.0, PartialText(asked))
    return sorted(found, key=lambda item: (item[1].finish == "length", -item[0]))


def run(scores: Scores, asked: DecodeRequest, width: int) -> tuple[list, ToySession]:
    session = ToySession(scores)
    return texts(list(Beam(width).decode(session, scores([]), asked, ()))), session  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 2.0, 5.0]), st.integers(1, 3))
def test_a_beam_wide_enough_finds_the_best_texts_there_are(seed: int, spread: float, n: int) -> None:
    """All of the four-token texts are followed: the best by mean log-probability come out, whole ones first."""
    scores, asked = random_scores(len(TABLE), seed, spread), request(n=n)
    best = enumerated(scores, asked)[:n]
    found, _ = run(scores, asked, width=len(TABLE) ** 4)
    assert [(text, reason) for text, reason, _ in found] == [(w.text, w.finish) for _, w in best]
    for (_, reason, tokens), (score, _) in zip(found, best, strict=True):
        if reason != "eos":  # the token that ends a text without belonging to it is no event
            assert sum(t.logprob for t in tokens) / len(tokens) == pytest.approx(score, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_it_follows_the_best_hypotheses(seed: int, width: int) -> None:
    """Against a beam over lists, every prefix scored anew."""
    scores, asked = random_scores(len(TABLE), seed), request(max_tokens=6)
    live, collected = [([], 0.0, PartialText(asked))], []
    while live and sum(text.finish != "length" for _, text in collected) < width:
        grown = []
        for ids, total, text in live:
            logprobs = scores(ids).log_softmax(-1)
            grown += [([*ids, t], total + float(logprobs[t]), text.add(t)) for t in range(len(TABLE))]
        grown = sorted(grown, key=lambda item: -item[1])[:width]
        collected += [(total / len(ids), text) for ids, total, text in grown if text.finish]
        live = [item for item in grown if not item[2].finish]
    expected = min(collected, key=lambda item: (item[1].finish == "length", -item[0]))[1]
    ((text, reason, _),), _ = run(scores, asked, width)
    assert (text, reason) == (expected.text, expected.finish)


def test_a_beam_of_one_is_greedy() -> None:
    """On a real model too, through tree attention."""
    model = tiny_model("gemma2")
    asked = DecodeRequest(token_bytes=[b"x"] * len(model.tokenizer.token_bytes), stop=LineStop(), max_tokens=10)
    found = []
    for method in (Beam(1), Plain(Sampling())):
        session = Session(model)
        logits = session.feed(range(5, 60))
        assert logits is not None
        events = list(method.decode(session, logits, asked, ()))
        found.append([event.id for event in events if isinstance(event, TokenEvent)])
    assert found[0] == found[1]


def test_a_token_costs_one_pass_for_all_beams_and_leaves_the_sequence_alone() -> None:
    scores = random_scores(len(TABLE), 7, 0.1)
    _, session = run(scores, request(max_tokens=4, n=3), 8)
    assert session.passes <= 3
    assert session.ids == []


def test_cancelled_it_gives_the_best_so_far() -> None:
    answers = iter([False, False])
    ((text, reason, tokens),), _ = run(
        lambda ids: torch.tensor([-9.0, 1.0, 0.5, -9.0]), request(cancelled=lambda: next(answers, True)), 2
    )
    assert (text, reason, len(tokens)) == ("aa", "cancelled", 2)
    assert math.isfinite(tokens[0].logprob)


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=30)
def test_spare_texts_are_whole_ones_that_come_after_those_wanted(seed: int, n: int) -> None:
    """They were compared anyway: it takes as many passes, and those wanted are the same."""
    scores = random_scores(len(TABLE), seed)
    plain, session = run(scores, request(n=n), 4)
    more, again = run(scores, request(n=n, spare=True), 4)
    assert [one[:2] for one in more[: len(plain)]] == [one[:2] for one in plain]
    assert all(reason not in {"length", "cancelled"} for _, reason, _ in more[len(plain) :])
    assert again.passes == session.passes
