from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from training.tokenizer import SPECIAL_TOKENS, load_tokenizer, mentions_special, save_tokenizer

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
LINES = st.lists(st.text(st.sampled_from("ab_ \t.(\"'é1🎉\r\x0b")), max_size=6)


@pytest.fixture(scope="module")
def loaded(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(tokenizer, folder, context=128)
    assert load_tokenizer(folder).get_vocab() == tokenizer.get_vocab()
    return AutoTokenizer.from_pretrained(folder)


@settings(max_examples=150, deadline=None)
@given(text=TEXT)
def test_any_text_comes_back(loaded, text: str):
    """Encoding and decoding is the identity, and no token is added, as transformers loads the folder."""
    ids = loaded(text)["input_ids"]
    assert loaded.decode(ids, clean_up_tokenization_spaces=False) == text
    assert bool(ids) == bool(text)


@settings(max_examples=150, deadline=None)
@given(lines=LINES)
def test_lines_tokenise_independently(tokenizer: Tokenizer, lines: list[str]):
    """The tokens of a text are the tokens of its lines with a newline token between them."""
    newline = tokenizer.encode("\n").ids
    assert len(newline) == 1
    expected = [token for line in lines for token in tokenizer.encode(line).ids + newline]
    assert tokenizer.encode("".join(line + "\n" for line in lines)).ids == expected


def test_no_token_but_the_newline_holds_a_newline(tokenizer: Tokenizer):
    """Nothing was merged across a newline."""
    holding = [token for token in range(tokenizer.get_vocab_size()) if "\n" in tokenizer.decode([token])]
    assert holding == tokenizer.encode("\n").ids


@pytest.mark.parametrize("width", [2, 4, 8, 12])
def test_a_run_of_indentation_is_one_token(tokenizer: Tokenizer, width: int):
    """Indentation costs one token and leaves the word after it as it is alone."""
    assert tokenizer.encode(" " * width + "def").tokens == [*tokenizer.encode(" " * width).tokens, "def"]
    assert len(tokenizer.encode(" " * width)) == 1


def test_identifiers_and_punctuation_never_share_a_token(tokenizer: Tokenizer):
    """A name, underscores included, is merged apart from the punctuation around it."""
    for token in tokenizer.get_vocab():
        characters = {c.isalnum() or c == "_" for c in token.removeprefix("Ġ") if c.isascii()}
        assert token in SPECIAL_TOKENS or len(characters) < 2, token
    assert tokenizer.encode("self._a.b").tokens == ["self", ".", *tokenizer.encode("_a").tokens, ".", "b"]


def test_the_special_tokens_come_first(tokenizer: Tokenizer):
    """Their ids are fixed, which the loss and the layouts rely on."""
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert mentions_special("x <|fim_pad|> y")


def test_the_folder_says_what_the_tokens_mean(loaded, tmp_path: Path):
    """End and padding are set, there is no beginning token, and saving again changes nothing."""
    assert (loaded.eos_token, loaded.pad_token, loaded.bos_token) == ("<|endoftext|>", "<|fim_pad|>", None)
    assert set(SPECIAL_TOKENS) <= set(loaded.all_special_tokens)
