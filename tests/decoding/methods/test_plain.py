"""Plain decoding over a scripted model: what is written, where it ends, and what it costs."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stages.stage import StepState
from guiderail.decoding.stops import stop_rule
from tests.helpers.constraints import AllowedAfter

TABLE = [b"", b"a", b"b", b"\n", b"\xc3", b"\xa9", b"\xff", b"\xf0\x9f", b"\x99\x82", b"bc"]
EOS, A, B, LINE, HALF, REST, BAD, HALF_FACE, REST_FACE, BC = range(len(TABLE))
WIDER = 3  # scores beyond the vocabulary, as padded models have


class Script:
    """A session whose next token is always the script's."""

    def __init__(self, wanted: Sequence[int]) -> None:
        self.wanted = [*wanted, EOS]
        self.ids: list[int] = []

    def scores(self) -> torch.Tensor:
        scores = torch.zeros(len(TABLE) + WIDER)
        scores[len(TABLE) :] = 9.0
        scores[self.wanted[min(len(self.ids), len(self.wanted) - 1)]] = 4.0
        return scores

    def feed(self, ids: list[int]) -> torch.Tensor:
        self.ids += ids
        return self.scores()


def decode(script: Sequence[int], *, constraints=(), **changes) -> tuple[list[Event], Script]:
    session = Script(script)
    options = {"token_bytes": TABLE, "stop": stop_rule("line", ""), "max_tokens": 20} | changes
    events = Plain(Sampling()).decode(session, session.scores(), DecodeRequest(**options), constraints)  # pyright: ignore
    return list(events), session


def end(script: Sequence[int], **changes) -> tuple[str, str]:
    *_, last = decode(script, **changes)[0]
    assert isinstance(last, FinishedEvent)
    return last.reason, last.text


@given(st.lists(st.sampled_from([A, B, BC]), max_size=8), st.integers(1, 12))
def test_tokens_come_one_by_one_and_one_end_last(script: list[int], most: int) -> None:
    """The bytes of the events are the text; each costs one pass, but the last token is never fed."""
    events, session = decode(script, max_tokens=most)
    *tokens, last = events
    written = script[:most]
    assert [t.id for t in tokens if isinstance(t, TokenEvent)] == written
    assert isinstance(last, FinishedEvent)
    assert last.text.encode() == b"".join(TABLE[i] for i in written)
    assert last.reason == ("eos" if len(script) < most else "length")
    assert session.ids == (written if last.reason == "eos" else written[:-1])


def test_a_line_ends_the_text_in_front_of_it() -> None:
    assert end([A, B, LINE, A]) == ("line", "ab")


def test_the_name_of_the_end_is_the_requests() -> None:
    assert end([A, LINE], stop_reason="block") == ("block", "a")


def test_what_is_before_the_cursor_is_not_returned() -> None:
    """Skipped bytes may end inside a token."""
    assert end([A, BC, A], skip=2) == ("eos", "ca")


def test_half_a_character_is_left_out_until_the_rest_comes() -> None:
    """Cut short, the text ends before it; and it does not end the text."""
    assert end([A, HALF, REST]) == ("eos", "aé")
    assert end([A, HALF_FACE, REST_FACE, B]) == ("eos", "a🙂b")
    assert end([A, HALF_FACE], max_tokens=2) == ("length", "a")


@pytest.mark.parametrize("script", [[A, BAD], [A, REST], [A, HALF, A]])
def test_bytes_that_are_no_text_end_it(script: list[int]) -> None:
    """And the token that brought them is no event."""
    events, _ = decode([*script, B])
    assert events[-1] == FinishedEvent("eos", "a")
    assert [e.id for e in events if isinstance(e, TokenEvent)] == script[:-1]


def test_a_cancel_ends_before_the_next_pass_with_what_there_is() -> None:
    answers = iter([False, False, True])
    events, session = decode([A, B, A], cancelled=lambda: next(answers))
    assert events[-1] == FinishedEvent("cancelled", "ab")
    assert session.ids == [A]


def test_the_probability_of_a_token_is_the_models_own() -> None:
    """Stages and constraints change what is chosen, not the figure; padding never counts."""

    def prefer_b(logits: torch.Tensor, state: StepState) -> torch.Tensor:
        changed = logits.clone()
        changed[B] = 50.0
        return changed

    events, _ = decode([A], stages=[prefer_b], max_tokens=1)
    token = events[0]
    assert isinstance(token, TokenEvent) and token.id == B
    scores = torch.zeros(len(TABLE))
    scores[A] = 4.0
    assert token.logprob == pytest.approx(float(scores.log_softmax(-1)[B]))


def test_constraints_choose_and_are_told_every_token() -> None:
    only = AllowedAfter(lambda _: [B])
    assert end([A, A], constraints=[only], max_tokens=2) == ("length", "bb")
    assert only.taken == [B, B]
