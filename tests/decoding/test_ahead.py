"""Writing on while an answer is on its way: whenever it comes, what is decoded is the same."""

from collections.abc import Sequence
from typing import Any

import pytest

from guiderail.decoding.drafters.recycling import Recycling
from guiderail.decoding.drafters.suffix import Suffix
from guiderail.decoding.drafting import Drafting
from guiderail.decoding.identifiers import Identifier, Names
from guiderail.decoding.method import Event, FinishedEvent, Request, TokenEvent
from guiderail.decoding.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import NeverStop
from guiderail.decoding.trie import IdentifierTrie
from guiderail.decoding.vocabulary import Vocabulary
from tests.helpers.models import tiny_model

MODEL = tiny_model("qwen3")
TABLE = MODEL.tokenizer.token_bytes
TRIE = IdentifierTrie(Vocabulary(TABLE))
EASY = ["a", "b", "c", "d", "e", "size", "name", "the"]
RARE = ["checksum_of_parts", "other"]
EVERY = [data.decode() for data in TABLE if data.isalpha() and data.isascii()]


class Late(Identifier):
    """A name of a list that becomes known when it has been asked for so many times, or is waited for."""

    def __init__(self, names: Names, asked: int) -> None:
        super().__init__(names, TABLE)
        self.asked, self.waited = asked, 0

    def awaits(self, token: int | None) -> bool:
        """See `Awaiting`."""
        if token is not None or len(self._written) > 3:  # behind the third token nothing depends on the list
            return False
        self.asked -= self.asked > 0
        return self.asked > 0

    def fill_mask(self, bitmask: Any) -> None:
        """Waits, and is counted where it had to."""
        self.waited += self.asked > 0
        self.asked = 0
        super().fill_mask(bitmask)


def decode(
    constraints: Sequence[Late], sampling: Sampling, tokens: int = 12, drafters: Sequence[Any] = ()
) -> list[Event]:
    session = Session(MODEL)
    logits = session.fit([5, 6, 7, 5, 6])
    assert logits is not None
    drafting = Drafting(drafters, lambda count: 1.0 + count / 1000) if drafters else None
    request = Request(token_bytes=TABLE, stop=NeverStop(), max_tokens=tokens)
    events = list(Plain(sampling, 0, drafting).decode(session, logits, request, constraints))
    written = [event.id for event in events if isinstance(event, TokenEvent)]
    assert session.ids[:5] == [5, 6, 7, 5, 6]
    assert session.ids[5:] == written[: len(session.ids) - 5], "the sequence holds what was decoded, and nothing else"
    return events


@pytest.mark.parametrize("names", [EASY, RARE, EVERY], ids=["easy", "rare", "every"])
@pytest.mark.parametrize("asked", [1, 2, 3, 5, 9, 1000])
@pytest.mark.parametrize("sampling", [Sampling(), *(Sampling(temperature=1.5, seed=seed) for seed in range(3))])
def test_a_late_answer_changes_nothing(names: list[str], asked: int, sampling: Sampling) -> None:
    """Tokens, scores and the end are those of an answer that is there at once, bit for bit, also when sampled."""
    legal = Names(TRIE, names)
    at_once = decode([Late(legal, 0)], sampling)
    assert decode([Late(legal, asked)], sampling) == at_once


@pytest.mark.parametrize("asked", [2, 4, 1000])
def test_drafts_and_late_answers_go_together(asked: int) -> None:
    """With drafters too the greedy tokens are the same ones."""
    legal = Names(TRIE, EASY)
    at_once = decode([Late(legal, 0)], Sampling(), 24)
    drafters = [Suffix(), Recycling(len(TABLE), nodes=16)]
    late = decode([Late(legal, asked)], Sampling(), 24, drafters)
    ids = [[event.id for event in events if isinstance(event, TokenEvent)] for events in (at_once, late)]
    assert ids[0] == ids[1]


def test_an_answer_that_comes_in_time_is_not_waited_for() -> None:
    """Decoding waits at the end of the text, or after many steps, and not before."""
    legal = Names(TRIE, EVERY)
    in_time, never = Late(legal, 4), Late(legal, 1000)
    sampling = Sampling(temperature=1.0, seed=2)  # which draws no end of the text
    assert len(decode([in_time], sampling)) == len(decode([never], sampling)) == 13
    assert (in_time.waited, never.waited) == (0, 1)


def test_a_cancelled_text_ends_with_what_is_certain() -> None:
    """What was written without its answer is none of the text."""
    session, seen = Session(MODEL), []
    logits = session.fit([5, 6, 7, 5, 6])
    assert logits is not None

    def cancelled() -> bool:
        seen.append(0)
        return len(seen) > 3

    request = Request(token_bytes=TABLE, stop=NeverStop(), max_tokens=12, cancelled=cancelled)
    late = Late(Names(TRIE, EASY), 1000)
    sampling = Sampling(temperature=1.0, seed=2)
    assert list(Plain(sampling).decode(session, logits, request, [late])) == [FinishedEvent("cancelled", "")]
