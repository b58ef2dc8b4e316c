"""Laws of tokenising line by line."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.model.line_tokens import LineTokens
from guiderail.model.tokenizer import Tokenizer, UnencodableTextError
from tests.helpers.texts import texts
from tests.helpers.tiny import FAMILIES, training_text

TokenizerOf = Callable[[str], Tokenizer]
edits = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3), texts | st.just("")), max_size=6)


class Counting:
    """A tokenizer's line tokens, and how many characters were really tokenised."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.characters = 0
        self._tokenizer = tokenizer
        self.lines = LineTokens(self._encode, tokenizer.cuts)

    def _encode(self, text: str) -> list[int]:
        self.characters += len(text)
        return self._tokenizer.encode(text)


def edited(text: str, place: float, share: float, new: str) -> str:
    start = round(place * len(text))
    return text[:start] + new + text[start + round(share * len(text)) :]


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(text=texts, script=edits)
def test_ids_are_those_of_a_full_tokenisation_after_any_edits(
    family: str, tokenizer_of: TokenizerOf, text: str, script: list[tuple[float, float, str]]
) -> None:
    tokenizer = tokenizer_of(family)
    assert tokenizer.lines.encode(text) == tokenizer.encode(text)
    for change in script:
        text = edited(text, *change)
        assert tokenizer.lines.encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15, deadline=None)
@given(script=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.005), texts), max_size=8))
def test_edits_of_real_code_keep_the_ids_exact(
    family: str, tokenizer_of: TokenizerOf, script: list[tuple[float, float, str]]
) -> None:
    tokenizer, text = tokenizer_of(family), training_text()[:4000]
    for change in script:
        text = edited(text, *change)
        assert tokenizer.lines.encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("typed", ["x", "\n", "):\n    return", "    "])
def test_an_edit_in_a_long_file_tokenises_only_its_lines(family: str, tokenizer_of: TokenizerOf, typed: str) -> None:
    """Four thousand lines that were seen: less than 400 characters are tokenised again, wherever the edit is."""
    counting = Counting(tokenizer_of(family))
    text = "\n".join(f"value_{number} = compute({number}, 'name')" for number in range(4000))
    counting.lines.encode(text)
    assert counting.characters == len(text)
    for place in (0.001, 0.3, 0.5, 0.77, 0.999):
        before = counting.characters
        counting.lines.encode(edited(text, place, 0, typed))
        assert counting.characters - before < 400


def test_without_known_cuts_the_whole_text_is_tokenised(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("phi")
    assert LineTokens(tokenizer.encode, None).encode("a = 1\nb = 2\n") == tokenizer.encode("a = 1\nb = 2\n")


def test_what_cannot_be_encoded_is_named_by_its_place_in_the_whole_text(tokenizer_of: TokenizerOf) -> None:
    """The error of a remembered line would count from that line's start."""
    with pytest.raises(UnencodableTextError, match="character 14"):
        tokenizer_of("qwen2").lines.encode("a = 1\nb = 2\nc \ud800\n")
