"""Laws of incremental tokenisation."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.model.incremental import TokenizedDocument
from guiderail.model.tokenizer import Tokenizer, UnencodableTextError
from guiderail.text.edit import Edit
from tests.helpers.texts import texts
from tests.helpers.tiny import FAMILIES, training_text

TokenizerOf = Callable[[str], Tokenizer]
steps = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3), texts | st.just("")), max_size=6)


def _edit(text: str, place: float, share: float, new: str) -> Edit:
    start = round(place * len(text))
    return Edit(start, min(len(text), start + round(share * len(text))), new)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=150, deadline=None)
@given(text=texts, script=steps)
def test_ids_are_those_of_a_full_tokenisation_after_any_edits(
    family: str, tokenizer_of: TokenizerOf, text: str, script: list[tuple[float, float, str]]
) -> None:
    tokenizer = tokenizer_of(family)
    document = TokenizedDocument(tokenizer, text)
    for place, share, new in script:
        edit = _edit(document.text, place, share, new)
        text = edit.apply(document.text)
        document.apply(edit)
        assert document.text == text
        assert document.ids == tokenizer.encode(text)


@pytest.mark.parametrize("family", ["guiderail", "qwen2", "starcoder2", "llama", "codellama", "gemma"])
@settings(max_examples=25, deadline=None)
@given(script=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.005), texts), max_size=8))
def test_edits_of_real_code_keep_the_ids_exact(
    family: str, tokenizer_of: TokenizerOf, script: list[tuple[float, float, str]]
) -> None:
    tokenizer = tokenizer_of(family)
    document = TokenizedDocument(tokenizer, training_text()[:4000])
    for place, share, new in script:
        document.apply(_edit(document.text, place, share, new))
    assert document.ids == tokenizer.encode(document.text)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("typed", ["x", "\n", "):\n    return", "", "    "])
def test_an_edit_in_a_long_file_encodes_only_its_lines(family: str, tokenizer_of: TokenizerOf, typed: str) -> None:
    """Ten thousand lines: less than 400 characters are tokenised again, wherever the edit is."""
    text = training_text()
    text = "\n".join((text.split("\n") * (10_000 // text.count("\n") + 1))[:10_000])
    document = TokenizedDocument(tokenizer_of(family), text)
    assert document.encoded == len(text)
    for place in (0.001, 0.3, 0.5, 0.77, 0.999):
        start = round(place * len(document.text))
        before = document.encoded
        document.apply(Edit(start, start if typed else start + 5, typed))
        assert document.encoded - before < 400
    assert document.ids == tokenizer_of(family).encode(document.text)


def test_without_known_cuts_the_whole_text_is_encoded_again(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("phi")
    document = TokenizedDocument(tokenizer, "a = 1\nb = 2\n")
    cuts, tokenizer.cuts = tokenizer.cuts, None
    try:
        document = TokenizedDocument(tokenizer, "a = 1\nb = 2\n")
        document.apply(Edit(0, 1, "cc"))
    finally:
        tokenizer.cuts = cuts
    assert document.ids == tokenizer.encode("cc = 1\nb = 2\n")
    assert document.encoded == 12 + 13


def test_an_edit_that_cannot_be_encoded_changes_nothing(tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of("qwen2")
    document = TokenizedDocument(tokenizer, "a = 1\nb = 2\n")
    ids = list(document.ids)
    with pytest.raises(UnencodableTextError):
        document.apply(Edit(2, 3, "\ud800"))
    assert (document.text, document.ids) == ("a = 1\nb = 2\n", ids)
    document.apply(Edit(0, 1, "cc"))
    assert document.ids == tokenizer.encode("cc = 1\nb = 2\n")
