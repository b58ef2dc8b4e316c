"""A model's tokenizer, as a ``tokenizer.json`` describes one, from the metadata of a GGUF file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from guiderail.model.gguf.file import GgufFile
from guiderail.model.gguf.header import GgufError, damaged
from guiderail.model.gguf.splits import BEGINS_TEXT, NAMES, WHOLE_WORDS_FIRST, pre_tokenizer
from guiderail.prompt.fim import CONTROL_TOKENS, FimFormat, stated_format

_UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED = 2, 3, 4, 5
_partition = methodcaller("partition", " ")
LONGEST_PIECE = 512  # characters of a piece that is looked at for merges; the published ones stay below 100
# What a chat model ends its turn with, a code model its file. Which of them a file calls the end differs from converter
# to converter, so that all count that a model has.
ENDS = frozenset({
    "<|endoftext|>", "<|im_end|>", "<|end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<EOT>",
    "<|EOT|>", "▁<EOT>", "<｜end▁of▁sentence｜>", "<|file_sep|>", "<file_sep>", "<|file_separator|>", "</s>", "<eos>",
})  # fmt: skip
# The keys under which a file states its tokens for infilling; the second names are old ones.
INFILL = {
    "prefix": ("fim_pre", "prefix"), "suffix": ("fim_suf", "suffix"), "middle": ("fim_mid", "middle"),
    "file_sep": ("fim_sep",), "repo_name": ("fim_rep",), "pad": ("fim_pad",),
}  # fmt: skip
_FAMILY_SPLITS = {"qwen2": "qwen2", "qwen3": "qwen2", "starcoder2": "starcoder", "granite": "refact"}
_TOKEN_SPLITS = {"<｜fim▁hole｜>": "deepseek-coder", "<|begin_of_text|>": "llama-bpe", "<[fim-middle]>": "seed-coder"}
_PADDING = re.compile(r"\[PAD\d+\]|<unused\d+>")


@dataclass(frozen=True, slots=True)
class TokenizerDescription:
    """What a `Tokenizer` is made of.

    Parameters
    ----------
    specification, settings
        As parsed from ``tokenizer.json`` and ``tokenizer_config.json``; merges are pairs.
    eos_ids
        Ids that end a text.
    fim
        The fill-in-the-middle format that the file states by ids, or None.
    """

    specification: dict[str, Any]
    settings: dict[str, Any]
    eos_ids: frozenset[int]
    fim: FimFormat | None


def describe_tokenizer(file: GgufFile) -> TokenizerDescription:
    """Read the vocabulary.

    Raises
    ------
    GgufError
        If the file has none, or one of a kind that is not supported.
    """
    kind = file.header.text("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise GgufError(
            f"{file.paths[0]} has a vocabulary of the kind {kind[:40] or 'none'}, which is not supported",
            "Supported are byte-level BPE (gpt2) and SentencePiece BPE (llama)",
        )
    tokens = _tokens(file)
    types = _types(file, len(tokens))
    model = _byte_level(file, tokens, types) if kind == "gpt2" else _sentencepiece(file, tokens, types)
    ends = _end_ids(file, tokens, types)
    special = {index for index, _ in _stated(file, tokens)} | ends
    specification = {"model": model, "added_tokens": _added(tokens, types, special), **_stages(file, kind)}
    return TokenizerDescription(specification, _settings(file, kind, tokens), ends, _infill(file, tokens))


def infill_format(file: GgufFile) -> FimFormat | None:
    """The fill-in-the-middle format, without building a tokenizer."""
    from guiderail.prompt.fim import find_fim

    tokens = _tokens(file)
    return find_fim(tokens) or _infill(file, tokens)


def _tokens(file: GgufFile) -> list[str]:
    raw = file.header.array("tokenizer.ggml.tokens")
    if set(map(type, raw)) != {bytes}:
        raise GgufError(f"{file.paths[0]} has no vocabulary", "Choose a file that has its tokenizer in it")
    rows = file.tensors.get("token_embd.weight")
    if rows is not None and len(raw) > rows.shape[0]:
        raise damaged(file.paths[0], f"it has {len(raw)} tokens, and embeddings of {rows.shape[0]}")
    try:
        return _decoded(raw)
    except UnicodeDecodeError as error:
        raise damaged(file.paths[0], "a token is not UTF-8") from error


def _decoded(raw: list[bytes]) -> list[str]:
    """Strings of UTF-8, at once if none holds a null; raises UnicodeDecodeError, and TypeError for what is no bytes."""
    joined = b"\0".join(raw)
    return joined.decode().split("\0") if joined.count(b"\0") == len(raw) - 1 else [one.decode() for one in raw]


def _types(file: GgufFile, count: int) -> list[int]:
    types = file.header.array("tokenizer.ggml.token_type") or [1] * count
    if len(types) != count or not set(map(type, types)) <= {int, bool}:
        raise damaged(file.paths[0], f"it has {count} tokens and {len(types)} types of tokens")
    return types


def _byte_level(file: GgufFile, tokens: list[str], types: list[int]) -> dict[str, Any]:
    raw = file.header.array("tokenizer.ggml.merges")
    try:
        # A merge is two tokens with a blank between; in the byte alphabet no token holds a blank.
        merges = [(left, right) for left, blank, right in map(_partition, _decoded(raw)) if blank and " " not in right]
    except (TypeError, UnicodeDecodeError) as error:
        raise damaged(file.paths[0], "a merge is not UTF-8") from error
    if len(merges) != len(raw):
        raise damaged(file.paths[0], "a merge does not join two tokens")
    model: dict[str, Any] = {"type": "BPE", "vocab": _vocabulary(tokens, types), "merges": merges}
    return model | {"ignore_merges": splits_of(file) in WHOLE_WORDS_FIRST}


def _vocabulary(tokens: Sequence[str], types: Sequence[int]) -> dict[str, int]:
    """Ids by name, without the rows that pad a table to a round size."""
    return {
        token: index
        for index, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind != _UNUSED or not _PADDING.fullmatch(token)
    }


def _sentencepiece(file: GgufFile, tokens: list[str], types: list[int]) -> dict[str, Any]:
    scores = file.header.array("tokenizer.ggml.scores")
    if len(scores) != len(tokens) or not all(isinstance(score, float) for score in scores):
        raise damaged(file.paths[0], f"it has {len(tokens)} tokens and {len(scores)} scores")
    vocabulary = _vocabulary(tokens, types)
    ranked = sorted(_splits(vocabulary, types, scores), key=lambda split: split[0], reverse=True)
    unknown = next((token for token, kind in zip(tokens, types, strict=True) if kind == _UNKNOWN), None)
    return {
        "type": "BPE",
        "vocab": vocabulary,
        "merges": [pair for _, pair in ranked],
        "byte_fallback": True,
        "fuse_unk": True,
        "unk_token": unknown,
    }


def _splits(
    vocabulary: dict[str, int], types: list[int], scores: list[float]
) -> Iterator[tuple[tuple[float, int, int], tuple[str, str]]]:
    """The pairs that SentencePiece would join to each piece, and what it ranks them by, as transformers does."""
    for piece, index in vocabulary.items():
        if types[index] == 1 and len(piece) <= LONGEST_PIECE:
            for cut in range(1, len(piece)):
                if (left := piece[:cut]) in vocabulary and (right := piece[cut:]) in vocabulary:
                    yield (scores[index], cut, len(right)), (left, right)


def _stages(file: GgufFile, kind: str) -> dict[str, Any]:
    """The stages before the merges."""
    if kind == "llama":
        spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        prefix = [{"type": "Prepend", "prepend": "▁"}] if _adds_space(file) else []
        return {"normalizer": {"type": "Sequence", "normalizers": [*prefix, spaces]}, "pre_tokenizer": None}
    name = splits_of(file)
    if name not in NAMES:
        raise GgufError(
            f"{file.paths[0]} splits text by the rules {name[:40]!r}, which are not known",
            "Choose the model with safetensors weights",
        )
    return {"normalizer": None, "pre_tokenizer": pre_tokenizer(name)}


def splits_of(file: GgufFile) -> str:
    """The name of the splits before the merges.

    Files of before May 2024 state none; their family tells, as it does for llama.cpp's converter today.
    """
    stated = file.header.text("tokenizer.ggml.pre")
    if stated:
        return stated
    if file.architecture in _FAMILY_SPLITS:
        return _FAMILY_SPLITS[file.architecture]
    tokens = set(file.header.array("tokenizer.ggml.tokens"))
    return next((name for token, name in _TOKEN_SPLITS.items() if token.encode() in tokens), "default")


def _adds_space(file: GgufFile) -> bool:
    return file.header.flag("tokenizer.ggml.add_space_prefix", True)


def _added(tokens: list[str], types: list[int], special: set[int]) -> list[dict[str, Any]]:
    """The tokens that are found before all merging."""
    return [
        {
            "id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": kind in (_UNKNOWN, _CONTROL) or index in special,
        }
        for index, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if token and (kind in (_UNKNOWN, _CONTROL, _USER_DEFINED) or index in special or token in CONTROL_TOKENS)
    ]  # fmt: skip


def _stated_id(file: GgufFile, name: str, count: int) -> int | None:
    value = file.header.metadata.get(f"tokenizer.ggml.{name}_token_id")
    return value if isinstance(value, int) and 0 <= value < count else None


def _stated(file: GgufFile, tokens: list[str]) -> Iterator[tuple[int, str]]:
    """The control tokens that a file states by their ids."""
    for name in ("bos", "eos", "eot", "eom", *(name for names in INFILL.values() for name in names)):
        index = _stated_id(file, name, len(tokens))
        if index is not None:
            yield index, name


def _end_ids(file: GgufFile, tokens: list[str], types: list[int]) -> frozenset[int]:
    """The ids that end a text: those stated as such, and control tokens known for it."""
    stated = {index for index, name in _stated(file, tokens) if name in ("eos", "eot", "eom", "fim_sep")}
    known = {index for index, token in enumerate(tokens) if token in ENDS and types[index] in (_CONTROL, _USER_DEFINED)}
    return frozenset(stated | known)


def _settings(file: GgufFile, kind: str, tokens: list[str]) -> dict[str, Any]:
    names = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    found = {key: _stated_id(file, name, len(tokens)) for key, name in names.items()}
    begins = kind == "llama" or splits_of(file) in BEGINS_TEXT
    return {
        "add_bos_token": file.header.flag("tokenizer.ggml.add_bos_token", begins),
        **{key: tokens[index] for key, index in found.items() if index is not None},
    }


def _infill(file: GgufFile, tokens: list[str]) -> FimFormat | None:
    """The format whose sentinels a file states by ids."""
    names: dict[str, str] = {}
    for part, keys in INFILL.items():
        index = next((i for key in keys if (i := _stated_id(file, key, len(tokens))) is not None), None)
        if index is not None:
            names[part] = tokens[index]
    return stated_format(names)
