"""How byte-level vocabularies split a text before they merge it, by the name that a GGUF file gives.

A file states a name only (``tokenizer.ggml.pre``); the expressions are those of the families' own ``tokenizer.json``.
Whatever else has that name was seen to split alike by llama.cpp's converter.
"""

from __future__ import annotations

from typing import Any

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_GPT2 = _WORDS + r"|\s+"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_SIGNS_AND_SLASHES = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
_QWEN2 = rf"{_SHORT}|{_LETTERS}|\p{{N}}|{_SIGNS}|{_TAIL}"
_LLAMA3 = rf"{_SHORT}|{_LETTERS}|\p{{N}}{{1,3}}|{_SIGNS}|{_TAIL}"
_QWEN35 = rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_TAIL}"
_SEED = rf"{_SHORT}|{_LETTERS}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_TAIL}"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASES = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{{0}}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{{0}}"


def _cased(short: str, digits: str) -> str:
    """Words split where small letters are followed by capitals, as Tekken and GPT-4o do."""
    words = _CASES.replace("{0}", short)
    return rf"{words}|{digits}|{_SIGNS_AND_SLASHES}|{_TAIL}"


_HAN = r"[一-龥ࠀ-一가-퟿]+"
_HAN_KANA = r"[一-龥\u3040-ゟ゠-ヿ]+".replace(r"\u3040", "\u3040")
_DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_TAIL}"
)

# Names by the expressions that are applied one after the other.
_BY_EXPRESSIONS: dict[tuple[str, ...], str] = {
    (_GPT2,): "gpt-2 phi-2 mpt olmo jais exaone4 mellum granite-docling trillion",
    (r"\p{N}", _GPT2): "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
    (_QWEN2,): "qwen2 deepseek-r1-qwen stablelm2 megrez hunyuan",
    (_QWEN35,): "qwen35",
    (_LLAMA3,): "llama-bpe llama3 llama-v3 dbrx smaug-bpe falcon3 pixtral glm4 chatglm-bpe",
    (_SEED,): "seed-coder",
    (_cased("", r"\p{N}"),): "tekken",
    (_cased(_SHORT + "?", r"\p{N}{1,3}"),): "gpt-4o llama4",
    (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _HAN, r"\p{N}"): "deepseek-coder",
    (r"\p{N}{1,3}", _HAN_KANA, _DEEPSEEK3): "deepseek-v3",
    (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"): "default",
}
_EXPRESSIONS = {name: expressions for expressions, names in _BY_EXPRESSIONS.items() for name in names.split()}

NAMES = frozenset(_EXPRESSIONS)
# Vocabularies whose whole words stand before their merges, and those that put the beginning of text in front.
WHOLE_WORDS_FIRST = frozenset({"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "tekken"})
BEGINS_TEXT = WHOLE_WORDS_FIRST


def pre_tokenizer(name: str) -> dict[str, Any]:
    """The ``pre_tokenizer`` of a ``tokenizer.json`` that splits as `name` does; KeyError if it is unknown."""
    splits = [
        {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
        for expression in _EXPRESSIONS[name]
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [*splits, byte_level]}
