"""The session against transformers' own generation, for every architecture."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from guiderail.decoding.session import CHUNK, Session
from tests.helpers.models import FAMILIES, tiny_model

PROMPT = list(range(5, 60))


def greedy(session: Session, prompt: list[int], tokens: int) -> list[int]:
    logits, out = session.fit(prompt), []
    for _ in range(tokens):
        assert logits is not None
        out.append(int(logits.argmax()))
        logits = session.feed([out[-1]])
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_generate(family: str) -> None:
    """Greedy decoding writes the tokens that transformers' generate writes, fp32, past every sliding window."""
    model = tiny_model(family)
    reference: Any = AutoModelForCausalLM.from_pretrained(model.info.folder, attn_implementation="eager").eval()
    reference.generation_config.eos_token_id = None
    tokens = reference.generate(
        torch.tensor([PROMPT]), attention_mask=torch.ones(1, len(PROMPT)), max_new_tokens=40, do_sample=False
    )[0, len(PROMPT) :].tolist()
    assert greedy(Session(model), PROMPT, 40) == tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_change_nothing(family: str) -> None:
    """A prompt fed in pieces gives the logits of the prompt fed at once (fp32: within 1e-5 of the largest)."""
    model = tiny_model(family)
    whole, pieces = Session(model), Session(model)
    expected, got = whole.feed(PROMPT), None
    for start in range(0, len(PROMPT), 7):
        got = pieces.feed(PROMPT[start : start + 7])
    assert expected is not None and got is not None
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("family", [f for f in FAMILIES if f in {"llama", "qwen2", "qwen3", "mistral", "seed-coder"}])
def test_lean_forward_equals_the_module(family: str) -> None:
    """The lean forward gives the module's logits (fp32: within 1e-5 of the largest), and is the one in use on a CPU."""
    model = tiny_model(family)
    plain = copy.copy(model)
    plain._module, plain._lean = model.plain_module(), None
    lean, module = Session(model).feed(PROMPT), Session(plain).feed(PROMPT)
    assert model._lean is not None and lean is not None and module is not None
    assert (lean - module).abs().max() <= 1e-5 * module.abs().max()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.lists(st.integers(1, 300), min_size=1, max_size=20)), max_size=8))
def test_rolling_back_and_feeding_equals_a_fresh_session(script: list[tuple[int, list[int]]]) -> None:
    """After any script of going back and feeding, the next logits are those of a new session fed the same ids."""
    model = tiny_model("qwen3")
    session = Session(model)
    session.feed(PROMPT)
    for back, ids in script:
        session.rollback(min(back, session.length))
        session.feed(ids)
    again = session.fit(list(session.ids))
    fresh = Session(model).feed(session.ids)
    assert again is not None and fresh is not None
    assert (again - fresh).abs().max() <= 1e-5 * fresh.abs().max()


def test_fit_runs_only_what_changed() -> None:
    """Fitting to a sequence that shares a prefix re-uses that prefix, but never the last token."""
    session = Session(tiny_model("qwen3"))
    session.fit(PROMPT)
    session.fit([*PROMPT[:30], 7, 8, 9])
    assert session.reused == 30
    session.fit([*PROMPT[:30], 7, 8, 9])
    assert session.reused == 32


def test_a_cancelled_prompt_stops_between_chunks() -> None:
    """A cancel ends the encoding after the chunk that is running, and the session stays usable."""
    session = Session(tiny_model("qwen3"))
    long = [5 + i % 200 for i in range(3 * CHUNK)]
    assert session.fit(long, cancelled=lambda: session.length >= CHUNK) is None
    assert session.length == CHUNK
    assert session.fit(long[:40]) is not None


def test_going_back_too_far_is_refused() -> None:
    """Rolling back more tokens than there are is an error, not a silent wrap."""
    session = Session(tiny_model("qwen3"))
    session.feed([1, 2, 3])
    with pytest.raises(ValueError, match="cannot forget 4"):
        session.rollback(4)
