"""Builds the tokenizers library's own tokenizer from a specification."""

from __future__ import annotations

import json
from typing import Any

import tokenizers

_MODEL_OPTIONS = ("unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
                  "ignore_merges")  # fmt: skip


def build(exact: dict[str, Any]) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
    """The library's tokenizer, and the specification as it understood it.

    The vocabulary and the merges of a large model are handed over as objects: as JSON, once out and once in, they take
    seconds.
    """
    model = exact["model"]
    shell = exact | {"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": []}
    backend = tokenizers.Tokenizer.from_str(json.dumps(shell))
    prepared = json.loads(backend.to_str())
    options = {key: model[key] for key in _MODEL_OPTIONS if model.get(key) is not None}
    backend.model = tokenizers.models.BPE(vocab=model["vocab"], merges=_pairs(model["merges"]), **options)
    added = sorted(exact["added_tokens"], key=lambda token: token["id"])
    backend.add_tokens([_added_token(token) for token in added])  # all at once: the library builds its search each time
    if any(backend.token_to_id(token["content"]) != token["id"] for token in added):
        # Ids with gaps, which only the library's own reader can give.
        backend = tokenizers.Tokenizer.from_str(json.dumps(exact))
        return backend, json.loads(backend.to_str())
    return backend, prepared | {"model": model, "added_tokens": added}


def _added_token(token: dict[str, Any]) -> tokenizers.AddedToken:
    flags = {key: bool(token.get(key)) for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
    return tokenizers.AddedToken(token["content"], **flags)


def _pairs(merges: list[Any]) -> list[tuple[str, str]]:
    """Merges as pairs; they come as pairs, lists of two, or strings with a blank between."""
    if merges and isinstance(merges[0], str):
        return [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    return list(map(tuple, merges))
