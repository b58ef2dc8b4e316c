"""Laws of the places where a text may be cut."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from tokenizers import Regex, Tokenizer, pre_tokenizers

from guiderail.model.cuts import alternatives_of, cut_pattern
from guiderail.model.tokenizer import Tokenizer as OurTokenizer
from tests.helpers.texts import texts
from tests.helpers.tiny import FAMILIES, GPT2_REGEX, QWEN2_REGEX, tiny_tokenizer, training_text

LLAMA3_REGEX = QWEN2_REGEX.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
O200K_TAIL = QWEN2_REGEX.replace(r"[\r\n]*|", r"[\r\n/]*|")


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(text=texts)
def test_parts_between_cuts_tokenise_apart(family: str, tokenizer_of: Callable[[str], OurTokenizer], text: str) -> None:
    tokenizer = tokenizer_of(family)
    assert tokenizer.cuts is not None
    for match in tokenizer.cuts.finditer(text):
        cut = match.start()
        assert tokenizer.encode(text[:cut]) + tokenizer.encode(text[cut:]) == tokenizer.encode(text)


@pytest.mark.parametrize("family", FAMILIES)
def test_real_code_has_a_cut_for_most_lines(family: str, tokenizer_of: Callable[[str], OurTokenizer]) -> None:
    """Or else an edit would cost far more than its line."""
    pattern = tokenizer_of(family).cuts
    assert pattern is not None
    lines = [line for line in training_text().split("\n") if line.strip()]
    assert sum(1 for _ in pattern.finditer(training_text())) > 0.95 * len(lines)


def _byte_level(*stages: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = tiny_tokenizer("byte_level", "phi")
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not stages)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*stages, last])
    return tokenizer


def _split(regex: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(regex), "isolated")


PROVED: dict[str, tuple[pre_tokenizers.PreTokenizer, ...]] = {
    "starcoder": (pre_tokenizers.Digits(individual_digits=True), _split(GPT2_REGEX)),
    "gpt2": (),
    "llama3": (_split(LLAMA3_REGEX),),
    "o200k": (_split(O200K_TAIL),),
    "deepseek-v3": (_split(r"\p{N}{1,3}"), _split("[一-龥]+"), _split(LLAMA3_REGEX)),
}


@pytest.mark.parametrize("name", PROVED)
@settings(max_examples=150, deadline=None)
@given(text=texts)
def test_other_families_splits_are_cut_rightly(name: str, text: str) -> None:
    tokenizer = _cached(name)
    assert tokenizer.cuts is not None
    for match in tokenizer.cuts.finditer(text):
        cut = match.start()
        assert tokenizer.encode(text[:cut]) + tokenizer.encode(text[cut:]) == tokenizer.encode(text)


def _cached(name: str, made: dict[str, OurTokenizer] = {}) -> OurTokenizer:  # noqa: B006
    if name not in made:
        made[name] = OurTokenizer(json.loads(_byte_level(*PROVED[name]).to_str()))
    return made[name]


REFUSED = {
    "a letter behind a line end": r"\s?\p{L}+|\s+(?!\S)|\s+",
    "looks behind": r"(?<=\n)x|[^\n]+|\n",
    "any character": r".+|\s+",
    "a class that holds line ends": r"[^\p{L}]+|\p{L}+",
    "blanks tried before line ends": r"\p{L}+|\s+(?!\S)|\s*[\r\n]+|\s+",
    "an anchor": r"^\p{L}+|\s+",
    "a range over line ends": "[\t-~]+|\\s+",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_proved_is_refused(reason: str) -> None:
    assert cut_pattern(json.loads(_byte_level(_split(REFUSED[reason])).to_str())) is None


def test_a_vocabulary_that_merges_over_line_ends_is_refused() -> None:
    """Without splits before the merges the vocabulary is the only proof."""
    values: dict[str, Any] = json.loads(tiny_tokenizer("sentencepiece", "gemma").to_str())
    assert cut_pattern(values) is not None
    values["model"]["vocab"]["\nx"] = 100_000
    assert cut_pattern(values) is None


def test_an_added_token_over_a_line_end_is_refused() -> None:
    values = json.loads(tiny_tokenizer("byte_level", "qwen2").to_str())
    assert cut_pattern(values | {"normalizer": None}) is not None
    values["added_tokens"].append(values["added_tokens"][0] | {"content": "x\n"})
    assert cut_pattern(values) is None


@given(texts)
def test_alternatives_join_to_the_expression(text: str) -> None:
    escaped = re.escape(text).replace("\n", r"\n") or "x"
    assert "|".join(alternatives_of(f"{escaped}|(?:a|b)|[|]")) == f"{escaped}|(?:a|b)|[|]"
    assert alternatives_of(f"{escaped}|(?:a|b)|[|]") == [escaped, "(?:a|b)", "[|]"]
