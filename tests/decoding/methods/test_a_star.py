"""A* search against all texts there are."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, Finish
from guiderail.decoding.methods.a_star import AStar, AStarSpec
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import LineStop
from tests.decoding.methods.test_beam import TABLE, request, texts
from tests.helpers.constraints import AllowedAfter
from tests.helpers.models import tiny_model
from tests.helpers.toy import ToySession, random_scores

Scores = Callable[[Sequence[int]], torch.Tensor]
PENALTY = 2.0
ALL = {"passes": 500, "width": 16, "branch": len(TABLE), "penalty": PENALTY}


class Verifier:
    """Finds fault with some texts; those without their spaces may be one."""

    def __init__(self, fault: Callable[[str], float] = lambda _: 0.0) -> None:
        self.fault, self.asked = fault, list[str]()

    def faults(self, texts: Sequence[tuple[str, Finish]]) -> list[float]:
        self.asked += [text for text, finish in texts if finish != "length"]
        return [0.0 if finish == "length" else self.fault(text) for text, finish in texts]

    def normal_form(self, text: str) -> str:
        return text.replace(" ", "")


def run(scores: Scores, asked: DecodeRequest, verifier: Any = None, **parameters: Any) -> tuple[list, ToySession]:
    session = ToySession(scores)
    method = AStar(AStarSpec(**({**ALL, "merge": False} | parameters)), verifier)
    return texts(list(method.decode(session, scores([]), asked, ()))), session  # pyright: ignore


def enumerated(
    scores: Scores, asked: DecodeRequest, fault: Callable[[str], float], length: float = 0.0
) -> list[tuple[float, PartialText]]:
    """Every whole text with its cost, the cheapest first."""
    found = []

    def visit(ids: list[int], cost: float, text: PartialText) -> None:
        if text.finish:
            if text.finish != "length":
                found.append((cost + PENALTY * fault(text.text), text))
            return
        logprobs = scores(ids).log_softmax(-1)
        for token in range(len(asked.token_bytes)):
            visit([*ids, token], cost - float(logprobs[token]) - length, text.add(token))

    visit([], 0.0, PartialText(asked))
    return sorted(found, key=lambda item: item[0])


def fault_of(seed: int) -> Callable[[str], float]:
    """Half of all texts are wrong, the same ones each time."""
    return lambda text: float(random_scores(1, seed)([ord(one) for one in text])[0] > 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 2.0, 5.0]), st.integers(1, 3), st.integers(1, 16))
def test_the_best_texts_there_are_come_out(seed: int, spread: float, n: int, width: int) -> None:
    """By likelihood and verdicts, however many go on in one pass; what is proved is not searched further."""
    scores, asked, fault = random_scores(len(TABLE), seed, spread), request(n=n), fault_of(seed)
    best = enumerated(scores, asked, fault)[:n]
    found, session = run(scores, asked, Verifier(fault), width=width)
    assert [(text, reason) for text, reason, _ in found] == [(one.text, one.finish) for _, one in best]
    assert session.passes <= len(TABLE) ** 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 3.0]), st.integers(1, 16))
def test_where_tokens_are_worth_something_too(seed: int, length: float, width: int) -> None:
    """In texts that may have several lines; what a beginning may still gain is counted before it is dropped."""
    scores, asked, fault = random_scores(len(TABLE), seed), request(stop_reason="block"), fault_of(seed)
    (_, best), *_ = enumerated(scores, asked, fault, length)
    ((text, reason, _),), _ = run(scores, asked, Verifier(fault), width=width, length=length)
    assert (text, reason) == (best.text, best.finish)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 4))
def test_any_budget_is_kept_and_gives_a_text_no_worse_than_greedy(seed: int, passes: int, width: int) -> None:
    scores, asked, fault = random_scores(len(TABLE), seed), request(max_tokens=5), fault_of(seed)
    found, session = run(scores, asked, Verifier(fault), passes=passes, width=width)
    assert session.passes <= passes
    assert session.ids == []
    assert len(found) == 1
    costs = {one.text: cost for cost, one in reversed(enumerated(scores, asked, fault))}
    ((greedy, reason, _),) = texts(list(Plain(Sampling()).decode(ToySession(scores), scores([]), asked, ())))  # pyright: ignore
    if passes >= asked.max_tokens and reason != "length":
        assert costs[found[0][0]] <= costs[greedy] + 1e-5


def test_what_costs_too_much_is_not_asked_about() -> None:
    """Texts are verified from the cheapest on: where that one is right, no other is."""
    verifier = Verifier()
    run(lambda _: torch.tensor([1.0, -9.0, -9.0, 2.0]), request(), verifier)
    assert verifier.asked == [""]
    doubtful = Verifier(lambda text: float(text == "a"))
    run(lambda _: torch.tensor([-math.inf, 1.0, -9.0, 2.0]), request(), doubtful)
    assert doubtful.asked == ["a", "\na"]


SPACED = [b"", b"a", b"b", b" ", b"\n"]


def by_letters(seed: int) -> Scores:
    """A model that goes on in the same way whatever the spaces are."""
    scores = random_scores(len(SPACED), seed, 1.0)
    return lambda ids: scores([one for one in ids if one != SPACED.index(b" ")])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_merged_states_lose_nothing_where_formatting_changes_nothing(seed: int) -> None:
    """The same text comes out, from no more passes."""
    asked = request(token_bytes=SPACED, max_tokens=6)
    options: Any = {"branch": len(SPACED), "width": 1}
    alone, long = run(by_letters(seed), asked, Verifier(), **options)
    merged, short = run(by_letters(seed), asked, Verifier(), merge=True, **options)
    assert merged[0][0] == alone[0][0]
    assert short.passes <= long.passes


def test_merging_saves_passes_and_gives_different_texts() -> None:
    """Texts that differ in formatting alone are one suggestion."""
    scores = lambda ids: torch.tensor([-9.0, 1.0, 0.8, 0.9, -2.0 + 2.0 * len(ids)])  # noqa: E731
    asked = request(token_bytes=SPACED, max_tokens=6, n=4)
    alone, long = run(scores, asked, Verifier(), branch=len(SPACED), width=1)
    merged, short = run(scores, asked, Verifier(), merge=True, branch=len(SPACED), width=1)
    assert len({text.replace(" ", "") for text, _, _ in merged}) == len(merged) == 4
    assert len({text.replace(" ", "") for text, _, _ in alone}) < 4
    assert short.passes < long.passes


def test_constraints_and_stages_hold() -> None:
    scores = random_scores(len(TABLE), 3)
    session = ToySession(scores)
    rule = AllowedAfter(lambda taken: ([2], [1], *[range(4)] * 4)[len(taken)])
    events = AStar(AStarSpec(**ALL)).decode(session, scores([]), request(n=5), [rule])  # pyright: ignore
    found = texts(list(events))
    assert len(found) == 5 and all(text.startswith("ba") for text, _, _ in found)
    assert rule.taken == []
    stage = lambda row, state: row.index_fill(0, torch.tensor([2]), -math.inf)  # noqa: E731
    found, _ = run(scores, request(stages=[stage], n=20))
    assert found and not any("b" in text for text, _, _ in found)


def test_tests_decide_where_they_are_given() -> None:
    """The likelier text fails them."""
    scores = random_scores(len(TABLE), 11, 0.5)
    method = AStar(AStarSpec(**{**ALL, "penalty": 100.0}), None, lambda text: float(text == "bb"))
    ((text, _, _),) = texts(list(method.decode(ToySession(scores), scores([]), request(), ())))  # pyright: ignore
    assert text == "bb"
    assert AStarSpec(tests="doctest").runs_code and not AStarSpec().runs_code


@pytest.mark.parametrize("name", ["gemma2", "guiderail"])
def test_one_state_a_pass_begins_with_the_greedy_text(name: str) -> None:
    """On a real model, through tree attention: with one state a pass, the greedy text is written first."""
    model = tiny_model(name)
    asked = DecodeRequest(token_bytes=[b"x"] * len(model.tokenizer.token_bytes), stop=LineStop(), max_tokens=10)
    found = []
    for method in (AStar(AStarSpec(passes=10, width=1)), Plain(Sampling())):
        session = Session(model)
        logits = session.feed(range(5, 60))
        assert logits is not None
        events = list(method.decode(session, logits, asked, ()))
        found.append([event.id for event in events if hasattr(event, "id")])  # pyright: ignore
        session.rollback(session.length - 55)
        assert session.length == 55
    assert found[0] == found[1]


def test_cancelled_it_gives_what_there_is() -> None:
    answers = iter([False, False])
    ((text, reason, tokens),), _ = run(
        lambda ids: torch.tensor([-math.inf, 1.0, 0.5, -math.inf]),
        request(cancelled=lambda: next(answers, True)),
        width=1,
    )
    assert (text, reason, len(tokens)) == ("aaa", "cancelled", 3)


def test_cancelled_it_asks_about_no_more_texts() -> None:
    """Each question may be an analyser's answer to wait for; one text that was judged is enough."""
    verifier = Verifier(lambda _: 1.0)
    found, _ = run(lambda _: torch.zeros(len(TABLE)), request(cancelled=lambda: bool(verifier.asked)), verifier)
    assert len(verifier.asked) == 1 and len(found) == 1
