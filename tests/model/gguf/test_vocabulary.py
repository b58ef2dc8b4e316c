"""What a vocabulary in a GGUF file says, and how it splits text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from guiderail.model.gguf.file import open_file
from guiderail.model.gguf.splits import NAMES, pre_tokenizer
from guiderail.model.gguf.vocabulary import splits_of
from guiderail.model.load import describe
from guiderail.model.tokenizer import Tokenizer
from guiderail.prompt.fim import stated_format
from tests.helpers.gguf import write_gguf
from tests.helpers.texts import texts

_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
_WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _isolated(*expressions: str) -> list[Any]:
    return [pre_tokenizers.Split(Regex(expression), "isolated") for expression in expressions]


# As the families' own tokenizer.json have them.
PUBLISHED = {
    "gpt-2": _WORDS,
    "starcoder": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _WORDS]),
    "refact": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _WORDS]),
    "qwen2": pre_tokenizers.Sequence([*_isolated(PRETOKENIZE_REGEX), _BYTES]),
    "llama-bpe": pre_tokenizers.Sequence(
        [
            *_isolated(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            _BYTES,
        ]
    ),
    "deepseek-coder": pre_tokenizers.Sequence(
        [
            *_isolated(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"),
            pre_tokenizers.Digits(individual_digits=True),
            _BYTES,
        ]
    ),
}


def _made(name: str) -> Any:
    shell = json.loads(Backend(BPE()).to_str())
    return Backend.from_str(json.dumps(shell | {"pre_tokenizer": pre_tokenizer(name)})).pre_tokenizer


MADE = {name: _made(name) for name in NAMES}


@settings(max_examples=200, deadline=None)
@given(text=texts, name=st.sampled_from(sorted(PUBLISHED)))
def test_the_splits_are_those_of_the_families_own_tokenizers(text: str, name: str) -> None:
    assert MADE[name].pre_tokenize_str(text) == PUBLISHED[name].pre_tokenize_str(text)


@settings(max_examples=100, deadline=None)
@given(text=texts, name=st.sampled_from(sorted(NAMES)))
def test_no_split_loses_anything(text: str, name: str) -> None:
    pieces = [piece for piece, _ in MADE[name].pre_tokenize_str(text)]
    assert pieces == [] or "".join(pieces) == "".join(p for p, _ in _BYTES.pre_tokenize_str(text))


@pytest.mark.parametrize(
    ("name", "splits"),
    [("qwen2", "qwen2"), ("starcoder2", "starcoder"), ("granite", "refact"), ("llama", "seed-coder")],
)
def test_a_file_that_states_no_splits_has_those_of_its_family(
    name: str, splits: str, hub_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    def without(writer: gguf.GGUFWriter) -> None:
        del writer.kv_data[0]["tokenizer.ggml.pre"]

    path = write_gguf(hub_folder(name), tmp_path / "model.gguf", pre="gpt-2", edit=without)
    assert splits_of(open_file(path)) == splits


def test_all_ends_are_ends(hub_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Those that a file states, the turn's end of a chat model, and a file's end, whichever of them is called so."""

    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_eot_token_id(701)
        writer.add_uint32("tokenizer.ggml.eom_token_id", 703)

    path = write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", edit=more)
    tokenizer = Tokenizer.from_gguf(path)
    names = {name for name, index in tokenizer.special.items() if index in tokenizer.eos_ids}
    stated = {name for name, index in tokenizer.special.items() if index in (701, 703)}
    assert names == {"<|endoftext|>", "<|im_end|>", "<|file_sep|>"} | stated


def test_infill_tokens_of_unknown_names_are_taken_by_their_ids(
    hub_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """A vocabulary whose sentinels nobody knows by name, but whose file says which they are."""

    def renamed(writer: gguf.GGUFWriter) -> None:
        tokens = writer.kv_data[0]["tokenizer.ggml.tokens"].value
        for number, key in enumerate(("fim_pre", "fim_mid", "fim_suf")):
            index = tokens.index(("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")[number])
            tokens[index] = f"[HOLE{number}]"
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", index)

    path = write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", edit=renamed)
    fim = Tokenizer.from_gguf(path).fim
    assert fim is not None
    assert (fim.prefix, fim.suffix, fim.middle, fim.spm) == ("[HOLE0]", "[HOLE2]", "[HOLE1]", None)
    assert describe(str(path)).fim == fim
    assert stated_format({"prefix": "a", "suffix": "b"}) is None


def test_padding_rows_are_no_tokens(hub_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Tables are padded to round sizes: their last rows are never written."""
    from tests.helpers.tiny import tiny_model_folder

    def wider(values: dict[str, Any]) -> None:
        values["vocab_size"] += 37

    folder = tiny_model_folder("qwen2", tmp_path / "hub", edit_config=wider)
    path = write_gguf(folder, tmp_path / "model.gguf")
    ours, theirs = Tokenizer.from_gguf(path), Tokenizer.from_folder(folder)
    assert ours.token_bytes == theirs.token_bytes
    assert len(open_file(path).header.array("tokenizer.ggml.tokens")) == ours.vocab_size + 37


def test_the_head_is_read_in_less_than_two_seconds(tmp_path: Path) -> None:
    """A vocabulary of 150,000 with as many merges; the package's own reader takes ten times as long."""
    import time

    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "qwen2")
    writer.add_token_list([f"token{index}" for index in range(150_000)])
    writer.add_token_merges([f"a b{index}" for index in range(150_000)])
    import numpy as np

    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    began = time.process_time()
    assert len(open_file(tmp_path / "model.gguf").header.array("tokenizer.ggml.merges")) == 150_000
    assert time.process_time() - began < 2
