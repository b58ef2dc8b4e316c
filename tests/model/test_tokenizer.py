"""Laws of the byte-exact tokenizer."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from guiderail.model.tokenizer import Tokenizer, TokenizerError, UnencodableTextError
from guiderail.prompt.prompt import half_typed
from tests.helpers.texts import texts
from tests.helpers.tiny import (
    FAMILIES,
    tiny_tokenizer,
    tiny_tokenizer_folder,
    training_text,
)

TokenizerOf = Callable[[str], Tokenizer]
pytestmark = pytest.mark.parametrize("family", FAMILIES)


@dataclass(frozen=True)
class _Segment:
    kind: str
    text: str
    source: str | None = None


@dataclass(frozen=True)
class _Prompt:
    segments: tuple[_Segment, ...]


@settings(max_examples=150, deadline=None)
@given(text=texts)
@example(text=" leading space")
@example(text="▁ and  ▁▁ x")
@example(text="<s></s><unk><0x41>")
@example(text="e\u0301 is not é, ﬁ is not fi")
def test_the_bytes_of_the_ids_are_the_bytes_of_the_text(family: str, tokenizer_of: TokenizerOf, text: str) -> None:
    tokenizer = tokenizer_of(family)
    ids = tokenizer.encode(text)
    assert b"".join(tokenizer.token_bytes[i] for i in ids) == text.encode()
    assert tokenizer.decode(ids) == text


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_plain_text_never_becomes_a_special_token(family: str, tokenizer_of: TokenizerOf, text: str) -> None:
    tokenizer = tokenizer_of(family)
    assert not set(tokenizer.encode(text)) & set(tokenizer.special.values())


def test_every_byte_can_be_written(family: str, tokenizer_of: TokenizerOf) -> None:
    """So that no text is out of a constraint's reach."""
    table = tokenizer_of(family).token_bytes
    assert {bytes([byte]) for byte in range(256)} <= set(table)


def test_real_code_gets_the_ids_that_transformers_gives(family: str, tmp_path: Path) -> None:
    """Exactness changes nothing where the model's own tokenizer is exact already."""
    theirs = AutoTokenizer.from_pretrained(tiny_tokenizer_folder(family, tmp_path))
    ours = Tokenizer.from_folder(tmp_path)
    text = training_text()[:5000]
    expected = theirs(text, add_special_tokens=False).input_ids
    assert (ours.encode(" " + text) if ours.dummy_prefix else ours.encode(text)) == expected


def test_a_lone_surrogate_is_explained(family: str, tokenizer_of: TokenizerOf) -> None:
    with pytest.raises(UnencodableTextError, match=r"U\+D83D\) at character 4"):
        tokenizer_of(family).encode("x = \ud83d")


def test_special_tokens_have_no_bytes_and_eos_is_special(family: str, tokenizer_of: TokenizerOf) -> None:
    tokenizer = tokenizer_of(family)
    assert all(tokenizer.token_bytes[i] == b"" for i in tokenizer.special.values())
    assert tokenizer.eos_ids == {tokenizer.special[FAMILIES[family].eos]}


def test_a_prompt_begins_with_the_token_that_the_model_wants(family: str, tokenizer_of: TokenizerOf) -> None:
    tokenizer, tiny = tokenizer_of(family), FAMILIES[family]
    prompt = _Prompt((_Segment("prefix", "import os\n"),))
    first = tokenizer.encode_prompt(prompt)[0]  # pyright: ignore[reportArgumentType]
    assert (first == tokenizer.special.get(tiny.bos or "")) == tiny.adds_bos


def test_segments_of_a_prompt_are_encoded_apart(family: str, tokenizer_of: TokenizerOf) -> None:
    """Llama-2-like models get their space before a text after a control token, but not of a suffix."""
    tokenizer = tokenizer_of(family)
    eos = FAMILIES[family].eos
    special = _Segment("special", eos)
    prompt = _Prompt((special, _Segment("suffix", eos), special, _Segment("context", "ab"), _Segment("prefix", "cd")))
    bos = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
    space = " " if tokenizer.dummy_prefix else ""
    one = [tokenizer.special[eos]]
    expected = [*bos, *one, *tokenizer.encode(eos), *one, *tokenizer.encode(space + "ab"), *tokenizer.encode("cd")]
    assert tokenizer.encode_prompt(prompt) == expected  # pyright: ignore[reportArgumentType]


WORDS = st.sampled_from(["return", "self", "value", "_private", "snake_case", "HTTPError", "größe", "x", "if"])
INDENTED = st.tuples(
    st.sampled_from(["", " ", "  ", "   ", "    ", "        ", "            ", "\t", "\t\t", "\t\t\t"]), WORDS
).map("".join)
SPACED = st.tuples(
    st.sampled_from([" ", " ", "  ", " = ", ", ", ": ", "  # ", ") -> "]), WORDS, st.sampled_from(["", "(x)", ":"])
).map("".join)


@settings(max_examples=150, deadline=None)
@given(line=st.tuples(INDENTED, st.lists(SPACED, max_size=4).map("".join)).map("".join), data=st.data())
@example(line="    return", data=None)
@example(line="\t\treturn", data=None)
def test_without_the_half_typed_word_a_prompt_ends_where_a_token_of_the_finished_line_ends(
    family: str, tokenizer_of: TokenizerOf, line: str, data: st.DataObject | None
) -> None:
    """At every place in a word that stands after blanks: healing gives the model its own tokens, all of them."""
    tokenizer = tokenizer_of(family)
    words = list(re.finditer(r"(?:(?<=\s)|^)[^\W\d]\w*", line))
    word = data.draw(st.sampled_from(words)) if data else words[0]
    whole = tokenizer.encode("\n" + line)
    for cursor in range(word.start(), word.end() + 1):
        before = line[:cursor]
        prompt = tokenizer.encode("\n" + before.removesuffix(half_typed(before, tokenizer.joined_blanks)))
        assert whole[: len(prompt)] == prompt


def test_an_indentation_gives_its_last_blank_to_the_word_unless_it_is_kept_apart(
    family: str, tokenizer_of: TokenizerOf
) -> None:
    """The embedded model's splits isolate indentation, all others give a word one blank; a lone space always joins."""
    tokenizer = tokenizer_of(family)
    if tokenizer.kind == "byte_level":
        assert tokenizer.joined_blanks("    ") == (family != "guiderail")
    assert tokenizer.joined_blanks(" ") == tokenizer.joined_blanks("x = ") == 1
    assert tokenizer.joined_blanks("x(") == tokenizer.joined_blanks("") == 0


def test_the_fingerprint_tells_vocabularies_apart_and_nothing_else(family: str, tmp_path: Path) -> None:
    folder = tiny_tokenizer_folder(family, tmp_path)
    one = Tokenizer.from_folder(folder)
    assert Tokenizer.from_folder(folder).fingerprint == one.fingerprint
    tiny_tokenizer(FAMILIES[family].kind, family, vocab_size=600).save(str(folder / "tokenizer.json"))
    assert Tokenizer.from_folder(folder).fingerprint != one.fingerprint


def test_sentinels_are_special_even_if_the_file_calls_them_plain(family: str, tmp_path: Path) -> None:
    """As Qwen2.5-Coder's and DeepSeek-Coder's files do."""
    folder = tiny_tokenizer_folder(family, tmp_path)
    values = json.loads((folder / "tokenizer.json").read_text())
    for token in values["added_tokens"]:
        token["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(values))
    tokenizer = Tokenizer.from_folder(folder)
    for name in FAMILIES[family].specials:
        assert name in tokenizer.special
        assert tokenizer.decode(tokenizer.encode(name)) == name


def test_a_folder_without_a_fast_tokenizer_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json"):
        Tokenizer.from_folder(tmp_path)
    folder = tiny_tokenizer_folder(family, tmp_path)
    path = folder / "tokenizer.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(TokenizerError, match="cannot be read"):
        Tokenizer.from_folder(folder)


def test_a_tokenizer_without_exact_bytes_is_refused(family: str, tmp_path: Path) -> None:
    folder = tiny_tokenizer_folder(family, tmp_path)
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"model": values["model"] | {"type": "WordPiece"}}))
    with pytest.raises(TokenizerError, match="WordPiece"):
        Tokenizer.from_folder(folder)
    removed = {"type": "Split", "pattern": {"String": "x"}, "behavior": "Removed", "invert": False}
    before = [values["pre_tokenizer"]] if values["pre_tokenizer"] else []
    stages = {"type": "Sequence", "pretokenizers": [removed, *before]}
    path.write_text(json.dumps(values | {"pre_tokenizer": stages}))
    with pytest.raises(TokenizerError, match="exact bytes"):
        Tokenizer.from_folder(folder)
