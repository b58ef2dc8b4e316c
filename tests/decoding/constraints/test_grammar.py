"""Grammars as constraints: exactly the texts of the grammar, in every form it may be written in."""

from __future__ import annotations

import json
import re
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.choice import apply
from guiderail.decoding.constraints.grammar import (
    Grammar,
    GrammarError,
    GrammarFormat,
    GrammarVocabulary,
    compile_grammar,
)
from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.model.tokenizer import Tokenizer
from tests.helpers.tiny import tiny_tokenizer

NUMBERS = "(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?"
FORMS: list[tuple[GrammarFormat, str]] = [
    ("regex", NUMBERS),
    ("lark", f"start: /{NUMBERS}/"),
    ("gbnf", 'root ::= whole ("." [0-9] [0-9]?)?\nwhole ::= "0" | [1-9] [0-9]? [0-9]?'),
]


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer(json.loads(tiny_tokenizer().to_str()), {"eos_token": "<|endoftext|>"})


@cache
def vocabulary() -> GrammarVocabulary:
    return GrammarVocabulary(tokenizer())


def grammar(form: GrammarFormat, source: str, typed: str = "") -> Grammar:
    return Grammar(vocabulary(), compile_grammar(source, form, typed))


def mask_of(constraint: Grammar) -> np.ndarray:
    table = tokenizer().token_bytes
    mask = full_mask(len(table))
    constraint.fill_mask(mask)
    return allowed(mask, len(table)).numpy()


def is_prefix(text: str) -> bool:
    """Whether a text begins a number of NUMBERS, by trying all short ends."""
    ends = ("", "1", "10", ".1", "1.1")
    return any(re.fullmatch(NUMBERS, text + end) for end in ends)


@pytest.mark.parametrize(("form", "source"), FORMS)
@pytest.mark.parametrize("written", ["", "1", "0", "12", "1.", "123.4", "7.55"])
def test_a_mask_allows_exactly_what_leads_to_a_text(form: GrammarFormat, source: str, written: str) -> None:
    """Token by token against the definition: its bytes keep the text a beginning; the end where it is complete."""
    constraint = grammar(form, source)
    for token in tokenizer().encode(written):
        constraint.accept(token)
    got, complete = mask_of(constraint), re.fullmatch(NUMBERS, written) is not None
    for token, data in enumerate(tokenizer().token_bytes):
        if data:
            want = data.isascii() and is_prefix(written + data.decode())
        else:
            want = token in tokenizer().eos_ids and complete
        assert got[token] == want, (token, data)


def test_a_json_schema_allows_its_documents() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    constraint = grammar("json", json.dumps(schema))
    for token in tokenizer().encode('{"a": 12'):
        assert mask_of(constraint)[token]
        constraint.accept(token)
    assert not mask_of(constraint)[tokenizer().encode("x")[0]]
    constraint.accept(tokenizer().encode("}")[0])
    assert set(np.flatnonzero(mask_of(constraint))) == set(tokenizer().eos_ids)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 12))
def test_a_rollback_restores_the_mask(seed: int, first: int, back: int) -> None:
    """Whatever was accepted and taken back, forbidden tokens included, the mask is that of a new grammar."""
    rng = np.random.default_rng(seed)
    used, fresh = grammar("regex", "([a-z]+ ?)*"), grammar("regex", "([a-z]+ ?)*")
    taken = []
    for _ in range(first):
        pool = np.flatnonzero(mask_of(used)) if rng.random() < 0.8 else np.arange(len(tokenizer().token_bytes))
        taken.append(int(rng.choice(pool)))
        used.accept(taken[-1])
    kept = max(0, first - back)
    used.rollback(first - kept)
    for token in taken[:kept]:
        fresh.accept(token)
    assert used.is_satisfied == fresh.is_satisfied
    assert np.array_equal(mask_of(used), mask_of(fresh))


def test_what_is_typed_already_comes_before_the_grammar() -> None:
    """A half-typed word is decoded again: its bytes first, and a token may reach over its end into the grammar."""
    constraint = grammar("regex", "ab|c", typed='x"\\')
    for token in tokenizer().encode('x"\\ab'):
        assert mask_of(constraint)[token]
        constraint.accept(token)
    assert mask_of(constraint)[sorted(tokenizer().eos_ids)].all()


def test_a_forbidden_token_makes_the_grammar_step_aside() -> None:
    """It was another constraint's only choice: everything is allowed from there, and not before."""
    constraint = grammar("regex", "a+")
    constraint.accept(tokenizer().encode("b")[0])
    assert constraint.is_satisfied
    scores = torch.zeros(len(tokenizer().token_bytes))
    assert torch.equal(apply([constraint], scores), scores)
    constraint.rollback(1)
    assert not constraint.is_satisfied


@pytest.mark.parametrize(
    ("form", "source"), [("lark", "start: foo ~"), ("regex", "("), ("json", "no"), ("gbnf", "root ="), ("lark", "a: b")]
)
def test_a_malformed_grammar_is_refused_in_one_line(form: GrammarFormat, source: str) -> None:
    with pytest.raises(GrammarError) as caught:
        compile_grammar(source, form)
    assert "\n" not in str(caught.value)
    assert form in str(caught.value)
