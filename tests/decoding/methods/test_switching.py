"""EAD: who writes, by the paper's rule, and that what each writes is its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, TokenEvent
from guiderail.decoding.methods.switching import Switch, Switching, SwitchingSpec, entropy
from guiderail.decoding.sampling import Sampler, Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext
from guiderail.decoding.stops import NeverStop
from guiderail.errors import UsageError
from guiderail.model.load import load
from tests.helpers.models import tiny_folder, tiny_model
from tests.helpers.tiny import tiny_model_folder

GREEDY = Sampling()
PROMPT = [40, 41, 42, 43, 44]


def writers(bits: Sequence[float], spec: SwitchingSpec) -> list[bool]:
    """Whether the large model writes each token, by the paper's rule over plain numbers."""
    found, large, held = [], False, spec.hold
    for t in range(len(bits)):
        recent = bits[max(0, t + 1 - spec.window) : t + 1]
        mean = sum(recent) / len(recent)
        if held >= spec.hold and (mean < spec.down if large else mean >= spec.up):
            large, held = not large, 0
        held += 1
        found.append(large)
    return found


@given(st.lists(st.floats(0, 8), max_size=40), st.floats(0, 4), st.floats(0, 4), st.integers(1, 6), st.integers(1, 12))
def test_the_writer_follows_the_papers_rule(bits: list[float], a: float, b: float, window: int, hold: int) -> None:
    spec = SwitchingSpec(up=max(a, b), down=min(a, b), window=window, hold=hold)
    switch, got, last = Switch(spec), [], False
    for one in bits:
        large = switch.wants(one)
        switch.held = 1 if large != last else switch.held + 1
        last = large
        got.append(large)
    assert got == writers(bits, spec)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_entropy_is_in_bits(row: list[float]) -> None:
    p = torch.tensor(row).double().softmax(-1).tolist()
    assert entropy(torch.tensor(row)) == pytest.approx(-sum(x * math.log2(x) for x in p), abs=1e-5)
    assert entropy(torch.tensor([0.0, float("-inf")])) == pytest.approx(0, abs=1e-6)


def decode(
    spec: SwitchingSpec, small: Session, tokens: int = 14, sampling: Sampling = GREEDY
) -> tuple[list[Event], Session]:
    model = tiny_model("guiderail")
    session = Session(model)
    logits = session.feed(PROMPT)
    assert logits is not None
    request = DecodeRequest(token_bytes=model.tokenizer.token_bytes, stop=NeverStop(), max_tokens=tokens)
    method = Switching(spec, small, Sampler(sampling))
    return list(method.decode(session, logits, request, [])), session


def small_model(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(
        load(str(tiny_model_folder("guiderail", tmp_path_factory.mktemp("s"), seed=5, layers=1)), device="cpu")
    )


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(temperature=0.6, top_p=0.9, seed=4)])
def test_every_token_is_what_its_writer_would_write(
    tmp_path_factory: pytest.TempPathFactory, sampling: Sampling
) -> None:
    """Chosen or drawn, against models that encode all anew at each token; the small session serves two requests."""
    small, spec = small_model(tmp_path_factory), SwitchingSpec(up=6.9, down=6.9, window=1, hold=2)
    for _ in range(2):
        events, _ = decode(spec, small, sampling=sampling)
        choose = Sampler(sampling)
        ids, switch, last, large = list(PROMPT), Switch(spec), False, []
        for event in events[:-1]:
            assert isinstance(event, TokenEvent)
            rows = [
                row for model in (small.model, tiny_model("guiderail")) if (row := Session(model).feed(ids)) is not None
            ]
            size = len(small.model.tokenizer.token_bytes)
            writes = switch.wants(entropy(rows[last][:size]))
            switch.held = 1 if writes != last else switch.held + 1
            last = writes
            assert event.id == choose(rows[writes][:size])
            ids.append(event.id)
            large.append(writes)
        assert isinstance(events[-1], FinishedEvent)
    assert True in large and False in large  # pyright: ignore[reportPossiblyUnboundVariable]


def test_a_model_that_does_not_write_is_not_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Above every entropy the small model writes alone; from none on the large one, and the small reads the prompt."""
    small = small_model(tmp_path_factory)
    events, session = decode(SwitchingSpec(up=20.0, down=0.0), small)
    assert len(events) > 3 and session.passes == 1
    before = small.passes
    events, session = decode(SwitchingSpec(up=0.0, down=0.0), small)
    assert small.passes <= before + 1
    assert len(events) > 3 and session.passes >= len(events) - 2


def test_models_of_other_tokenizers_and_crossed_thresholds_are_refused() -> None:
    model = tiny_model("guiderail")
    context = BuildContext(model=model, vocabulary=Vocabulary(model.tokenizer.token_bytes))
    with pytest.raises(UsageError, match="small"):
        SwitchingSpec().build(context)
    with pytest.raises(UsageError, match="above"):
        SwitchingSpec(small="x", up=1.0, down=2.0).build(context)
    with pytest.raises(UsageError, match="tokenizers"):
        SwitchingSpec(small=str(tiny_folder("starcoder2"))).build(context)
