"""AdaDec against the paper's formula, computed prefix by prefix."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, FinishedEvent, PausedEvent, TokenEvent
from guiderail.decoding.methods.adadec import AdaDec, entropy_of
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stages.stage import StepState
from guiderail.decoding.stops import LineStop
from tests.helpers.constraints import AllowedAfter
from tests.helpers.models import tiny_model
from tests.helpers.toy import ToySession, random_scores

TABLE = [b"", b"a", b"b", b"c", b"d", b"\n"]
Scores = Callable[[Sequence[int]], torch.Tensor]


def request(**changes) -> DecodeRequest:
    return DecodeRequest(**({"token_bytes": TABLE, "stop": LineStop(), "max_tokens": 8} | changes))


def reference(
    scores: Scores, threshold: float, candidates: int, lookahead: int, asked: DecodeRequest
) -> tuple[list, list]:
    """The paper's algorithm as it stands there, every prefix scored anew: tokens, and what each pause compared."""
    ids, pauses = [], []
    text = PartialText(asked)
    while text.finish is None:
        p = scores(ids).double().log_softmax(-1)
        if float(-(p.exp() * p).sum()) < threshold:
            token = int(p.argmax())
        else:
            worth = {}
            for c in p.topk(candidates).indices.tolist():
                total, length, one, rolled = float(p[c]), 1, text.add(c), [*ids, c]
                for _ in range(lookahead):
                    if one.finish:
                        break
                    q = scores(rolled).double().log_softmax(-1)
                    best = int(q.argmax())
                    total, length, one, rolled = total + float(q[best]), length + 1, one.add(best), [*rolled, best]
                worth[c] = total / length
            token = max(worth, key=worth.__getitem__)
            pauses.append(worth)
        ids.append(token)
        text = text.add(token)
    return ids, pauses


def run(method: AdaDec | Plain, scores: Scores, asked: DecodeRequest, constraints=()) -> tuple[list, list, ToySession]:
    session = ToySession(scores)
    events = list(method.decode(session, scores([]), asked, constraints))  # type: ignore[arg-type]
    pauses = [event for event in events if isinstance(event, PausedEvent)]
    assert isinstance(events[-1], FinishedEvent)
    return [event.id for event in events if isinstance(event, TokenEvent)], pauses, session


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0, 2), st.integers(2, 4), st.integers(0, 5), st.integers(1, 9),
    st.sampled_from([0.5, 2.0, 6.0]),
)  # fmt: skip
def test_it_is_the_papers_formula(
    seed: int, threshold: float, candidates: int, lookahead: int, most: int, spread: float
) -> None:
    """Tokens are the same, and each pause compares the same candidates with the same scores (1e-6)."""
    scores, asked = random_scores(len(TABLE), seed, spread), request(max_tokens=most)
    expected, worth = reference(scores, threshold, candidates, lookahead, asked)
    tokens, pauses, session = run(AdaDec(threshold, candidates, lookahead), scores, asked)
    assert tokens == [token for token in expected if TABLE[token]]
    assert len(pauses) == len(worth)
    for pause, one in zip(pauses, worth, strict=True):
        assert dict(zip(pause.candidates, pause.scores, strict=True)) == pytest.approx(one, abs=1e-6)
        assert pause.entropy >= threshold
    assert session.ids == expected[:-1]


def test_where_it_is_always_sure_it_is_greedy() -> None:
    for seed in range(20):
        scores = random_scores(len(TABLE), seed)
        plain, _, before = run(Plain(Sampling()), scores, request())
        tokens, pauses, session = run(AdaDec(math.inf), scores, request())
        assert tokens == plain and not pauses and session.passes == before.passes


def test_the_winners_look_ahead_is_not_run_again() -> None:
    """With one pause and a look-ahead that is all of the text, decoding costs the pause alone."""

    def scores(ids: Sequence[int]) -> torch.Tensor:
        row = torch.full((len(TABLE),), -4.0)
        row[[1, 2, 3]] = torch.tensor([1.0, 0.9, 0.8])
        return row if not ids else torch.eye(len(TABLE))[5 if len(ids) == 4 else 4] * 20

    tokens, pauses, session = run(AdaDec(0.9, 3, 5), scores, request())
    assert len(pauses) == 1
    assert len(tokens) == 5
    assert session.passes == 4


def test_stages_and_constraints_reach_the_look_ahead() -> None:
    """As if the model's scores were what they leave: the same as AdaDec over a model changed and masked like that."""

    def no_b(taken: list[int]) -> list[int]:
        return [0, 1, 3, 4, 5] if len(taken) % 2 else [0, 2, 3, 4, 5]

    def lift(logits: torch.Tensor, state: StepState) -> torch.Tensor:
        return logits + torch.arange(len(logits)) * 0.3 * (state.step % 3)

    for seed in range(40):
        scores = random_scores(len(TABLE), seed)

        def changed(ids: Sequence[int], scores: Scores = scores) -> torch.Tensor:
            row = scores(ids) + torch.arange(len(TABLE)) * 0.3 * (len(ids) % 3)
            row[2 if len(ids) % 2 else 1] = -torch.inf
            return row

        plain, worth, _ = run(AdaDec(0.8), lambda ids, changed=changed: changed(ids), request())
        constraint = AllowedAfter(no_b)
        tokens, pauses, _ = run(AdaDec(0.8), scores, request(stages=[lift]), [constraint])
        assert tokens == plain
        assert [p.candidates for p in pauses] == [p.candidates for p in worth]
        assert constraint.taken[: len(tokens)] == tokens


def test_it_runs_on_a_real_model_as_on_the_formula() -> None:
    """Through the session's tree attention, fp32."""
    model = tiny_model("mistral")
    texts = [b"x"] * len(model.tokenizer.token_bytes)
    prompt = list(range(5, 60))

    def scores(ids: Sequence[int]) -> torch.Tensor:
        logits = Session(model).feed([*prompt, *ids])
        assert logits is not None
        return logits[: len(texts)]

    asked = request(token_bytes=texts, max_tokens=10)
    session = Session(model)
    logits = session.feed(prompt)
    assert logits is not None
    threshold = entropy_of(logits[: len(texts)].log_softmax(-1)) - 0.1
    expected, worth = reference(scores, threshold, 3, 3, asked)
    events = list(AdaDec(threshold, 3, 3).decode(session, logits, asked, ()))
    assert [e.id for e in events if isinstance(e, TokenEvent)] == expected
    assert 0 < len(worth) == len([e for e in events if isinstance(e, PausedEvent)])
    assert session.ids == prompt + expected[:-1]


def test_a_cancel_ends_it_with_what_there_is() -> None:
    answers = iter([False, False, False, True])
    tokens, _, session = run(
        AdaDec(0.0, 3, 4), random_scores(len(TABLE), 3), request(cancelled=lambda: next(answers, True), max_tokens=20)
    )
    assert session.ids == tokens[: len(session.ids)]
    assert len(tokens) < 20
