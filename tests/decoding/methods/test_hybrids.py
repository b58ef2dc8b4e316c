"""Decoding with models of recurrent layers: drafts change nothing, and branches are scored as if each were alone."""

import pytest
import torch

from guiderail.cache.live import LiveCache
from guiderail.decoding.drafting.selector import DraftSelector
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.beam import Beam
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.stops import NeverStop
from tests.decoding.drafting.test_selector import FREE, Guess
from tests.helpers.models import HYBRIDS, tiny_model
from tests.helpers.toy import ToySession

PROMPT = [5 + (i * i * 7 + i) % 290 for i in range(70)]
KINDS = ("qwen3.5", "granite-4", "falcon-h1", "lfm2")


def request(name: str, most: int, n: int = 1) -> DecodeRequest:
    return DecodeRequest(
        token_bytes=tiny_model(name).tokenizer.token_bytes, stop=NeverStop(), max_tokens=most, end_loops=False, n=n
    )


def begun(name: str) -> tuple[Session, torch.Tensor]:
    session = Session(tiny_model(name))
    logits = session.feed(PROMPT)
    assert logits is not None
    return session, logits


def ids_of(events: object) -> list[int]:
    return [one.id for one in events if isinstance(one, TokenEvent)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", HYBRIDS)
@pytest.mark.parametrize("right", [0.4, 0.9])
def test_drafted_text_is_plain_text(name: str, right: float) -> None:
    """Greedy decoding with trees of drafts, of which few or most are right, in fewer passes."""
    session, logits = begun(name)
    plain = ids_of(Plain(Sampling()).decode(session, logits, request(name, 24), ()))
    passes = session.passes
    session, logits = begun(name)
    drafting = DraftSelector([Guess(plain, right, 3)], FREE)
    assert ids_of(Plain(Sampling(), 0, drafting).decode(session, logits, request(name, 24), ())) == plain
    assert session.passes < passes or len(plain) < 4  # a text that ends at once has no room for drafts


@pytest.mark.parametrize("name", KINDS)
def test_beams_are_those_over_fresh_encodings(name: str) -> None:
    """Three texts of a tree that grows token by token, against scores that are encoded from nothing each time."""
    session, logits = begun(name)
    found = list(Beam(3).decode(session, logits, request(name, 5, 3), ()))

    def scores(ids: list[int]) -> torch.Tensor:
        return LiveCache(tiny_model(name)).read(list(ids))[-1]

    toy = ToySession(scores, PROMPT)  # type: ignore[arg-type]
    assert ids_of(found) == ids_of(Beam(3).decode(toy, scores(PROMPT), request(name, 5, 3), ()))  # type: ignore[arg-type]
