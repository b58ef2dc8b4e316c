"""The bytes of each token of a vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

WORD_MARK = "▁"  # U+2581: SentencePiece's space
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def size_of(prepared: dict[str, Any]) -> int:
    """Ids of a vocabulary: one more than the largest."""
    return max([*prepared["model"]["vocab"].values(), *(token["id"] for token in prepared["added_tokens"])]) + 1


def token_bytes_of(prepared: dict[str, Any], kind: str) -> list[bytes]:
    """The bytes of each token by its id; none of special tokens.

    Parameters
    ----------
    prepared
        The parsed ``tokenizer.json``.
    kind
        "byte_level" or "sentencepiece".
    """
    vocab: dict[str, int] = prepared["model"]["vocab"]
    added = prepared["added_tokens"]
    table = [b""] * size_of(prepared)
    read = _read_alphabet if kind == "byte_level" else _read_pieces
    for index, data in zip(vocab.values(), read(list(vocab)), strict=True):
        table[index] = data
    for token in added:
        text = token["content"]
        if kind == "sentencepiece" and token["normalized"]:
            text = text.replace(WORD_MARK, " ")  # found in the text after spaces were replaced
        table[token["id"]] = b"" if token["special"] else text.encode()
    unknown = prepared["model"].get("unk_token")
    if unknown in vocab:
        table[vocab[unknown]] = b""
    return table


def _read_pieces(pieces: list[str]) -> Iterator[bytes]:
    for piece in pieces:
        byte = _BYTE_TOKEN.fullmatch(piece)
        yield bytes([int(byte[1], 16)]) if byte else piece.replace(WORD_MARK, " ").encode()


def _read_alphabet(names: list[str]) -> Iterator[bytes]:
    """The bytes that names in the alphabet stand for; none for others, such as control tokens in the vocabulary.

    All names are read at once: one by one, 150,000 of them take a tenth of a second.
    """
    texts = _BETWEEN.join(names).translate(_TO_LATIN).split(_BETWEEN)
    if len(texts) != len(names):  # a name holds what stands between them
        texts = [name.translate(_TO_LATIN) for name in names]
    return (b"" if _OUTSIDE.search(text) else text.encode("latin-1") for text in texts)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's byte alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(rest)}


_ALPHABET = _byte_alphabet()
_NO_BYTE = "\uffff"  # outside Latin-1
_BETWEEN = "\U0010ffff"  # in no name
_OUTSIDE = re.compile(r"[^\x00-\xff]")
# Characters of the alphabet to the Latin-1 character of their byte; the others of Latin-1 to what has no byte.
_TO_LATIN = dict.fromkeys(range(256), _NO_BYTE) | {ord(name): chr(byte) for name, byte in _ALPHABET.items()}
