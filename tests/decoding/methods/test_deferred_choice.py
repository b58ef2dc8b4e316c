"""Writing on while an answer is on its way: whenever it comes, what is decoded is the same."""

from collections.abc import Sequence
from typing import Any

import pytest

from guiderail.cache.tree import TokenTree
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.draft import Draft, Drafter
from guiderail.decoding.drafting.recycling import Recycling
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.drafting.suffix import Suffix
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import NeverStop
from tests.helpers.constraints import OneOf
from tests.helpers.models import tiny_model

MODEL = tiny_model("qwen3")
TABLE = MODEL.tokenizer.token_bytes
TRIE = IdentifierTrie(Vocabulary(TABLE))
EASY = ["a", "b", "c", "d", "e", "size", "name", "the"]
RARE = ["checksum_of_parts", "other"]
EVERY = [data.decode() for data in TABLE if data.isalpha() and data.isascii()]


class Late(OneOf):
    """A name of a list that becomes known when it has been asked for so many times, or is waited for."""

    def __init__(self, names: Names, asked: int) -> None:
        super().__init__(names, TABLE)
        self.asked, self.waited = asked, 0

    def awaits(self, token: int | None) -> bool:
        """See `Constraint.awaits`."""
        if token is not None or len(self.written) > 3:  # after the third token nothing depends on the list
            return False
        self.asked -= self.asked > 0
        return self.asked > 0

    def fill_mask(self, bitmask: Any) -> None:
        """Waits, and is counted where it had to."""
        self.waited += self.asked > 0
        self.asked = 0
        super().fill_mask(bitmask)


def decode(
    constraints: Sequence[Constraint], sampling: Sampling, tokens: int = 12, drafters: Sequence[Any] = ()
) -> list[Event]:
    session = Session(MODEL)
    logits = session.fit([5, 6, 7, 5, 6])
    assert logits is not None
    drafting = DraftSelector(drafters, lambda count: 1.0 + count / 1000) if drafters else None
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=tokens)
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
    at_once = decode([OneOf(legal, TABLE)], sampling)
    assert decode([Late(legal, asked)], sampling) == at_once


class Oracle(Drafter):
    """Drafts what comes next, with mistakes: each `wrong`th token is another one."""

    def __init__(self, ids: Sequence[int], wrong: int) -> None:
        self._ids = [7 if place % wrong == 0 else token for place, token in enumerate(ids, 1)]

    def begin(self, ids: Sequence[int], project: object) -> None:
        self._start = len(ids)

    def propose(self, ids: Sequence[int], constraints: object, room: int) -> Draft | None:
        rest = self._ids[len(ids) - self._start :][: min(room, 6)]
        return Draft(TokenTree.chain(rest), [0.9] * len(rest)) if rest else None


@pytest.mark.parametrize("names", [EASY, RARE, EVERY], ids=["easy", "rare", "every"])
@pytest.mark.parametrize("asked", [2, 4, 9, 1000])
@pytest.mark.parametrize("sampling", [Sampling(), *(Sampling(temperature=1.5, seed=seed) for seed in range(3))])
@pytest.mark.parametrize("wrong", [3, 99])
def test_drafts_and_late_answers_go_together(names: list[str], asked: int, sampling: Sampling, wrong: int) -> None:
    """With drafts that were picked the tokens are the same ones, whether the drafts are right or not, drawn or greedy;
    and drafts are verified before the answer has come."""
    legal = Names(TRIE, names)
    at_once = ids_of(decode([OneOf(legal, TABLE)], sampling, 24))
    for drafters in ([Suffix(), Recycling(len(TABLE), nodes=16)], [Oracle(at_once, wrong)]):
        assert ids_of(decode([Late(legal, asked)], sampling, 24, drafters)) == at_once


def ids_of(events: Sequence[Event]) -> list[int]:
    return [event.id for event in events if isinstance(event, TokenEvent)]


def test_drafts_are_verified_before_the_answer_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a right draft several tokens come of one pass, while nothing is known."""
    legal = Names(TRIE, EVERY)
    sampling = Sampling(temperature=1.0, seed=2)
    at_once = ids_of(decode([OneOf(legal, TABLE)], sampling))
    passes = []
    monkeypatch.setattr(Session, "feed_tree", lambda self, *a, of=Session.feed_tree: passes.append(0) or of(self, *a))
    monkeypatch.setattr(Session, "feed", lambda self, *a, of=Session.feed: passes.append(0) or of(self, *a))
    assert ids_of(decode([Late(legal, 1000)], sampling, drafters=[Oracle(at_once, 99)])) == at_once
    assert len(passes) <= 4


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

    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=12, cancelled=cancelled)
    late = Late(Names(TRIE, EASY), 1000)
    sampling = Sampling(temperature=1.0, seed=2)
    assert list(Plain(sampling).decode(session, logits, request, [late])) == [FinishedEvent("cancelled", "")]
