"""A tokenizer that works on exact bytes.

Two kinds of fast tokenizers are understood: byte-level BPE (GPT-2's alphabet of 256 printable characters) and
SentencePiece BPE with byte fallback (``▁`` for a space, ``<0x0A>`` for a byte). Both are made lossless here: the
pieces of a text always join to the text's own UTF-8 bytes. For that, what would change a text is left out:
Unicode normalisation, the space that Llama-2-like tokenizers put before a text, special tokens that a text
happens to spell, and the reading of a literal ``▁`` as a space.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from string import ascii_letters
from typing import TYPE_CHECKING, Any, Literal

from guiderail.errors import GuiderailError, UsageError
from guiderail.model.backend import build
from guiderail.model.cuts import cut_pattern
from guiderail.model.info import SETTINGS_LIMIT, read_tokenizer
from guiderail.model.line_tokens import LineTokens
from guiderail.model.token_bytes import WORD_MARK, size_of, token_bytes_of
from guiderail.prompt.fim import CONTROL_TOKENS, FimFormat, find_fim

if TYPE_CHECKING:
    from guiderail.prompt.prompt import Prompt

MOST_IDS = 1 << 22  # sixteen times as many as the largest vocabularies have; an id decides how much memory is taken
LONGEST_TOKEN = 1024  # characters; the longest of published models, runs of blanks, have 512
MOST_CHARACTERS = 1 << 23  # of all tokens: four times as many as the largest vocabularies have
LONGEST_JOINED = 128  # blanks: of more only the last are tried, each by encoding them
_CONTROL = re.compile(r"<[|｜].*[|｜]>")
# Text with everything that a lossy tokenizer loses: spaces in front, runs of blanks, combining marks, control bytes.
_PROBE = "  def f(x):\r\n\t\n\n    é\u0301 = '日本'  # \x00 ▁ 🙂  \n"

# What stands after blanks in code: its words, and every letter, since merges begin with one.
_WORDS = ("return", "self", "if", "for", "def", "print", "const", "import", "class", "not", "_", *ascii_letters)


class TokenizerError(GuiderailError):
    """A folder's tokenizer is missing, slow-only, or of a kind that has no exact bytes."""


class UnencodableTextError(UsageError):
    """A text holds a lone surrogate, which no encoding can write."""


class Tokenizer:
    """Text to ids and back, byte for byte.

    Parameters
    ----------
    specification
        A parsed ``tokenizer.json``.
    settings
        A parsed ``tokenizer_config.json``.
    eos_ids
        Ids that end a text, from the model's generation settings.
    fim
        The fill-in-the-middle format that the model states itself; what its control tokens spell goes first.

    Attributes
    ----------
    token_bytes
        The bytes of every id, in order; ``b""`` for special tokens and for ids that nothing is written with. A
        model's output may be wider than this list (padded vocabularies): those ids are never to be chosen.
    special
        The ids of the control tokens by name.
    eos_ids
        Ids that end a text.
    bos_id
        The id that the model wants before every prompt, or None.
    fim
        The fill-in-the-middle format that the control tokens spell.
    cuts
        Zero-width pattern of the places where a text may be cut for encoding its parts apart, or None if no such
        place is known (see `guiderail.model.cuts`).
    lines
        Tokenises like `encode`, and remembers the lines of texts that are being edited.

    Raises
    ------
    TokenizerError
        If the specification is not one of the two kinds.
    """

    def __init__(
        self,
        specification: dict[str, Any],
        settings: dict[str, Any] | None = None,
        eos_ids: Iterable[int] = (),
        fim: FimFormat | None = None,
    ) -> None:
        settings = settings or {}
        _check_lengths(specification)
        self.kind: Literal["byte_level", "sentencepiece"] = _kind(specification)
        self.dummy_prefix = _adds_space(specification)
        self._backend, prepared = build(_exact(specification, self.kind, settings))
        self._backend.encode_special_tokens = True
        self.special: dict[str, int] = {
            token["content"]: token["id"] for token in prepared["added_tokens"] if token["special"]
        }
        if (size := size_of(prepared)) > MOST_IDS:
            raise TokenizerError(f"This tokenizer has ids up to {size - 1}", _SUPPORTED)
        self.token_bytes: list[bytes] = token_bytes_of(prepared, self.kind)
        self.cuts = cut_pattern(prepared)
        self.lines = LineTokens(self.encode, self.cuts)
        self._joined: dict[tuple[str, str], int] = {}
        self.bos_id = self._find_bos(specification, settings)
        self.eos_ids = frozenset(eos_ids) | self._named(settings, "eos_token")
        self.fim: FimFormat | None = find_fim(self.special) or fim
        if self.decode_bytes(self.encode(_PROBE)) != _PROBE.encode():
            raise TokenizerError("This tokenizer does not give a text's exact bytes back", _SUPPORTED)

    @classmethod
    def from_folder(cls, folder: Path | str) -> Tokenizer:
        """Read ``tokenizer.json`` and the settings beside it.

        Raises
        ------
        TokenizerError
            If ``tokenizer.json`` is missing, damaged, or of an unsupported kind.
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise TokenizerError(f"{folder} has no tokenizer.json", "A fast tokenizer is required: " + _SUPPORTED)
        try:
            specification = read_tokenizer(path)
            settings = _read_json(folder / "tokenizer_config.json")
            return cls(specification, settings, _eos_ids(folder))
        except TokenizerError:
            raise
        except Exception as error:  # tokenizers raises bare Exception for a damaged file
            raise TokenizerError(f"{path} cannot be read ({error})", "Fetch the model again") from error

    @classmethod
    def from_gguf(cls, path: Path) -> Tokenizer:
        """Read the vocabulary of a GGUF file.

        Raises
        ------
        ModelFolderError
            If the file is damaged, or has no vocabulary of a supported kind.
        TokenizerError
            If the vocabulary contradicts itself.
        """
        from guiderail.model.gguf.file import open_file
        from guiderail.model.gguf.vocabulary import describe_tokenizer

        found = describe_tokenizer(open_file(path))
        try:
            return cls(found.specification, found.settings, found.eos_ids, found.fim)
        except TokenizerError:
            raise
        except Exception as error:  # tokenizers raises bare Exception for merges of unknown tokens
            raise TokenizerError(f"{path} has a damaged vocabulary ({error})", "Fetch the model again") from error

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the specification: two tokenizers with one fingerprint give the same ids."""
        prepared = json.loads(self._backend.to_str())
        canonical = json.dumps([prepared, self.bos_id, self.dummy_prefix], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return len(self.token_bytes)

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: nothing is added, and special tokens spelt in it stay text.

        Raises
        ------
        UnencodableTextError
            If the text holds a lone surrogate.
        """
        if self.kind == "byte_level" or WORD_MARK not in text:
            return self._encode(text)
        ids: list[int] = []
        for i, part in enumerate(text.split(WORD_MARK)):
            ids += (self._word_mark_ids if i else []) + self._encode(part)
        return ids

    def _encode(self, text: str) -> list[int]:
        try:
            return self._backend.encode(text, add_special_tokens=False).ids
        except TypeError:
            bad = re.search("[\ud800-\udfff]", text)
            if bad is None:
                raise
            raise UnencodableTextError(
                f"The text holds a lone surrogate (U+{ord(bad.group()):04X}) at character {bad.start()}",
                "Replace it: no encoding can write it",
            ) from None
        except BaseException as error:  # what the library's own language calls a panic is no Exception
            if type(error).__name__ != "PanicException":
                raise
            raise TokenizerError("The tokenizer's pattern takes too long on this text", "Use another model") from error

    @cached_property
    def _word_mark_ids(self) -> list[int]:
        """A literal ``▁``, byte by byte, since the vocabulary takes it for a space."""
        names = (f"<0x{byte:02X}>" for byte in WORD_MARK.encode())
        return [index for name in names if (index := self._backend.token_to_id(name)) is not None]

    def joined_blanks(self, before: str) -> int:
        """How many blanks at the end of a line may share a token, or change theirs, once a word follows them.

        A prompt that ends in such blanks ends where no token of the finished line does. It is found by encoding the
        blanks with and without words after them: regular expressions often keep the last blank for the word, and
        a vocabulary without them (SentencePiece) decides by the number of blanks and by the word.

        Parameters
        ----------
        before
            The line up to the word.
        """
        blanks = before[len(before.rstrip(" \t")) :][-LONGEST_JOINED:]
        front = "=" if len(blanks) < len(before) else "\n"
        if (front, blanks) not in self._joined:
            self._joined[front, blanks] = self._measure_joined(front, blanks)
        return self._joined[front, blanks]

    def _measure_joined(self, front: str, blanks: str) -> int:
        lines = [self.encode(front + blanks + word) for word in _WORDS]
        for count in range(len(blanks)):
            kept = self.encode(front + blanks[: len(blanks) - count])
            if all(line[: len(kept)] == kept for line in lines):
                return count
        return len(blanks)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The exact bytes of `ids`; special tokens and ids outside the vocabulary give none."""
        return b"".join(self.token_bytes[i] for i in ids if 0 <= i < len(self.token_bytes))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 (half a character) become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """The ids of a prompt: its segments encoded apart, special ones by id, and the beginning-of-text token first.

        Llama-2-like models are used to a space before a text that follows a control token, but not in front
        of a suffix (Roziere et al. 2023, "Code Llama", infilling): that space is given here, so that prompts look as in
        training, and `encode` stays exact.
        """
        ids = [] if self.bos_id is None else [self.bos_id]
        after_special = True
        for segment in prompt.segments:
            if segment.kind == "special":
                ids.append(self.special[segment.text])
            elif segment.text:
                space = " " if self.dummy_prefix and after_special and segment.kind != "suffix" else ""
                ids += self.lines.encode(space + segment.text)
            after_special = segment.kind == "special" or (after_special and not segment.text)
        return ids

    def _named(self, settings: dict[str, Any], key: str) -> frozenset[int]:
        name = _name_of(settings.get(key))
        index = self._backend.token_to_id(name) if name else None
        return frozenset() if index is None else frozenset({index})

    def _find_bos(self, specification: dict[str, Any], settings: dict[str, Any]) -> int | None:
        """The beginning-of-text id, if the post-processor or the settings put one in front."""
        named = self._named(settings, "bos_token")
        if settings.get("add_bos_token") is False:
            return None
        if settings.get("add_bos_token"):
            return next(iter(named), None)
        first = _first_of_template(specification.get("post_processor"))
        index = self._backend.token_to_id(first) if first else None
        return index if index in named else None


_SUPPORTED = "Supported are byte-level BPE and SentencePiece BPE with byte fallback, as a tokenizer.json"


def _check_lengths(specification: dict[str, Any]) -> None:
    """Refuse what takes minutes to prepare: tokens of megabytes, or very many long ones."""
    names = chain(
        specification["model"]["vocab"], (token["content"] for token in specification.get("added_tokens", ()))
    )
    lengths = [len(name) for name in names]
    if (longest := max(lengths, default=0)) > LONGEST_TOKEN:
        raise TokenizerError(f"This tokenizer has a token of {longest} characters", _SUPPORTED)
    if (size := sum(lengths)) > MOST_CHARACTERS:
        raise TokenizerError(f"The tokens of this tokenizer have {size} characters together", _SUPPORTED)


def _kind(specification: dict[str, Any]) -> Literal["byte_level", "sentencepiece"]:
    model = specification["model"]
    if model.get("type", "BPE") != "BPE":
        raise TokenizerError(f"Tokenizers of type {model['type']} are not supported", _SUPPORTED)
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise TokenizerError("Tokenizers that mark the ends of words are not supported", _SUPPORTED)
    if model.get("byte_fallback"):
        return "sentencepiece"
    if any(stage["type"] == "ByteLevel" for stage in _flatten(specification.get("pre_tokenizer"), "pretokenizers")):
        return "byte_level"
    raise TokenizerError("This tokenizer has neither a byte-level alphabet nor byte fallback", _SUPPORTED)


def _flatten(stage: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The stages of a normalizer or pre-tokenizer, sequences opened."""
    if stage is None:
        return []
    return [inner for part in stage[key] for inner in _flatten(part, key)] if stage["type"] == "Sequence" else [stage]


def _adds_space(specification: dict[str, Any]) -> bool:
    """Whether the tokenizer puts a space before every text."""
    normalizers = _flatten(specification.get("normalizer"), "normalizers")
    splits = _flatten(specification.get("pre_tokenizer"), "pretokenizers")
    return any(stage["type"] == "Prepend" for stage in normalizers) or any(
        (stage["type"] == "Metaspace" and stage.get("prepend_scheme", "always") != "never")
        or (stage["type"] == "ByteLevel" and stage.get("add_prefix_space"))
        for stage in splits
    )


def _exact(specification: dict[str, Any], kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The specification without what would change a text."""
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": WORD_MARK}
    splits = [_exact_split(s) for s in _flatten(specification.get("pre_tokenizer"), "pretokenizers")]
    if sum(stage["type"] == "ByteLevel" for stage in splits) > 1:  # each doubles what is not ASCII
        raise TokenizerError("This tokenizer writes bytes as characters more than once", _SUPPORTED)
    return specification | {
        "truncation": None,
        "padding": None,
        "normalizer": spaces if kind == "sentencepiece" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits} if splits else None,
        "post_processor": None,
        "model": specification["model"] | {"dropout": None},
        "added_tokens": [_exact_added(token, settings) for token in specification.get("added_tokens", ())],
    }


def _exact_split(stage: dict[str, Any]) -> dict[str, Any]:
    if stage["type"] == "Metaspace":
        stage = {key: value for key, value in stage.items() if key != "add_prefix_space"}  # the old name
        return stage | {"prepend_scheme": "never"}
    return stage | {"add_prefix_space": False} if stage["type"] == "ByteLevel" else stage


def _exact_added(token: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """An added token that swallows no blanks around it and is special if the model uses it as one.

    Qwen2.5-Coder's file calls its fill-in-the-middle sentinels plain; a source file that spells one must not turn
    into one.
    """
    name = token["content"]
    named = {_name_of(value) for key, value in settings.items() if key.endswith("_token")}
    control = token["special"] or name in CONTROL_TOKENS or name in named or bool(_CONTROL.fullmatch(name))
    return token | {"special": control, "lstrip": False, "rstrip": False}


def _name_of(value: Any) -> str | None:
    """A special token's name as settings files write it: a string, or an object with ``content``."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _first_of_template(post_processor: dict[str, Any] | None) -> str | None:
    """The special token that a template puts before a single text."""
    if post_processor is None:
        return None
    if post_processor["type"] == "Sequence":
        names = (_first_of_template(part) for part in post_processor["processors"])
        return next((name for name in names if name), None)
    single = post_processor.get("single") or [{}]
    return single[0].get("SpecialToken", {}).get("id") if isinstance(single[0], dict) else None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    if path.stat().st_size > SETTINGS_LIMIT:
        raise TokenizerError(f"{path} has more than {SETTINGS_LIMIT} bytes", "Do not use this model")
    return json.loads(path.read_text(encoding="utf-8"))


def _eos_ids(folder: Path) -> set[int]:
    """End-of-text ids of the generation settings, or of the model's configuration."""
    for name in ("generation_config.json", "config.json"):
        value = _read_json(folder / name).get("eos_token_id")
        if value is not None:
            return set(value) if isinstance(value, list) else {value}
    return set()
