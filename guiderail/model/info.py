"""The description of a model, read from its folder without loading weights."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from guiderail.model.errors import ModelFolderError
from guiderail.model.garbage import gc_paused
from guiderail.model.guard import is_plain
from guiderail.model.hybrid import attention_layers, state_width
from guiderail.prompt.fim import FimFormat, find_fim

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TEXT_LIMIT = 64 << 20  # bytes of a file that is no weights: parsed, it takes 30 times as much; tokenizers have 30 MB
SETTINGS_LIMIT = 16 << 20  # bytes of a file of settings; the largest, which describe every added token, have one MB
_HEADER_LIMIT = 100_000_000  # bytes, as in the safetensors library
_COUNT_LIMIT = 1 << 40
_CARD_LIMIT = 1 << 16  # bytes of a model card that are read: its front matter
_DEFAULT_CONTEXT = 2048  # of a configuration that names none, as in transformers' oldest families


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model on this machine.

    Parameters
    ----------
    name
        As a person refers to it: ``embedded``, a folder, or a hub id.
    folder
        Where its files are.
    revision
        The pinned commit of a hub model, otherwise None.
    family
        The configuration's model type, e.g. ``qwen2``.
    parameters
        Weights stored, tied ones once.
    bytes_on_disk
        Size of all its files.
    licence
        As its model card declares it, or None.
    context_length
        Most tokens it was made for.
    fim
        Its fill-in-the-middle format, or None.
    architecture
        The transformers class, e.g. ``Qwen2ForCausalLM``; empty if the configuration names none.
    cache_width
        Numbers that the key-value cache holds for each token, all layers together.
    tied
        Numbers in the table of embeddings if it is the unembedding too, otherwise 0.
    file
        The GGUF file that it lies in (the first of several shards), or None for a folder of safetensors.
    table
        Numbers in the table of embeddings.
    state_width
        Numbers in the state of its recurrent layers; 0 if it has none.
    """

    name: str
    folder: Path
    revision: str | None
    family: str
    parameters: int
    bytes_on_disk: int
    licence: str | None
    context_length: int
    fim: FimFormat | None
    architecture: str
    cache_width: int
    tied: int = 0
    file: Path | None = None
    table: int = 0
    state_width: int = 0

    def weight_files(self) -> tuple[Path, ...]:
        """The files of its weights; raises ModelFolderError if some are missing."""
        if self.file is None:
            return tuple(weight_files(self.folder))
        from guiderail.model.gguf.file import shard_paths

        return shard_paths(self.file)


def read_info(folder: Path, name: str, revision: str | None = None) -> ModelInfo:
    """Read what `folder` says about its model.

    Raises
    ------
    ModelFolderError
        If the configuration or the weights are missing or damaged, or the weights are pickled.
    """
    config = read_config(folder)
    weights = weight_files(folder)
    try:
        return _described(folder, name, revision, config, weights)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelFolderError(
            f"{folder}: config.json or tokenizer.json is damaged", "Fetch the model again"
        ) from error


def _described(folder: Path, name: str, revision: str | None, config: dict[str, Any], weights: list[Path]) -> ModelInfo:
    text = config.get("text_config") or config
    table = _count(text, "vocab_size") * _count(text, "hidden_size")
    return ModelInfo(
        name=name,
        folder=folder,
        revision=revision,
        family=str(config.get("model_type", "unknown")),
        parameters=sum(map(_parameters, weights)),
        bytes_on_disk=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        licence=licence_in(folder),
        context_length=_count(text, "max_position_embeddings", "n_positions") or _DEFAULT_CONTEXT,
        fim=_fim(folder),
        architecture=next(iter(config.get("architectures") or ()), ""),
        cache_width=cache_width(text),
        tied=table if text.get("tie_word_embeddings") else 0,
        table=table,
        state_width=state_width(text),
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json``.

    Raises
    ------
    ModelFolderError
        If there is none, or it is not a JSON object.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ModelFolderError(f"{folder} has no config.json", "It must be a model's folder as the hub has it")
    return _read_object(path, SETTINGS_LIMIT)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model: one, or the shards that its index names.

    Raises
    ------
    ModelFolderError
        If there are none, some are missing, or the weights are pickled only.
    """
    index = folder / INDEX
    names = _shards(index) if index.is_file() else [WEIGHTS]
    missing = [name for name in names if not (folder / name).is_file()]
    if not missing:
        return [folder / name for name in names]
    if not index.is_file() and any(folder.glob("*.gguf")):
        raise ModelFolderError(f"{folder} has GGUF files only", "Name one of them")
    if not index.is_file() and any(folder.glob("*.bin")):
        raise ModelFolderError(
            f"{folder} has pickled weights only, which can run code when they are read",
            "Choose a model with safetensors weights",
        )
    raise ModelFolderError(f"Weights are missing in {folder}: {', '.join(missing)}", "Fetch the model again")


def _shards(index: Path) -> list[str]:
    """The files that an index names, which lie beside it."""
    mapped = _read_object(index).get("weight_map", {})
    found = list(mapped.values()) if isinstance(mapped, dict) else []
    names = {name for name in found if isinstance(name, str) and is_plain(name)}
    if not found or not all(isinstance(name, str) and name in names for name in found):
        raise ModelFolderError(f"{index} names files outside its folder, or none", "Do not use this model")
    return sorted(names)


def _read_object(path: Path, limit: int = TEXT_LIMIT) -> dict[str, Any]:
    if path.stat().st_size > limit:
        raise ModelFolderError(f"{path} has more than {limit} bytes", "Do not use this model")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (RecursionError, ValueError) as error:
        raise ModelFolderError(f"{path} is damaged ({error})", "Fetch the model again") from error
    if not isinstance(value, dict):
        raise ModelFolderError(f"{path} is not a JSON object", "Fetch the model again")
    return value


def _parameters(path: Path) -> int:
    """Numbers stored in a safetensors file, from its header (an 8-byte length, then JSON)."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size
            if length > min(size, _HEADER_LIMIT):
                raise ValueError("the header is longer than the file, or than any")
            header = json.loads(file.read(length))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        if any(
            len(shape) > 16 or not all(type(one) is int and 0 <= one <= 8 * size for one in shape) for shape in shapes
        ):
            raise ValueError("a shape is none")
        return sum(map(math.prod, shapes))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise ModelFolderError(f"{path} is damaged: it has no safetensors header", "Fetch the model again") from error


def cache_width(config: dict[str, Any]) -> int:
    """Numbers that the key-value cache holds for each token, all layers together; ValueError for what is no count."""
    layers = attention_layers(config)
    if layers is None:
        layers = _count(config, "num_hidden_layers", "n_layer")
    heads = _count(config, "num_attention_heads", "n_head") or 1
    head_dim = _count(config, "head_dim") or _count(config, "hidden_size", "n_embd") // heads
    return 2 * layers * (_count(config, "num_key_value_heads") or heads) * head_dim


def _count(config: dict[str, Any], *keys: str) -> int:
    """The first of these numbers that is there, else 0; raises ValueError where it is none."""
    value = next(filter(None, map(config.get, keys)), 0)
    if type(value) is not int or not 0 <= value < _COUNT_LIMIT:
        raise ValueError(f"{keys[0]} is no count")
    return value


def _fim(folder: Path) -> FimFormat | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    return find_fim(token["content"] for token in read_tokenizer(path).get("added_tokens", ()))


def read_tokenizer(path: Path) -> dict[str, Any]:
    """A parsed ``tokenizer.json``; the last one read is remembered (`forget`), and nobody may change it.

    Raises
    ------
    ModelFolderError
        If it cannot be read.
    """
    try:
        status = path.stat()
        return _tokenizer(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read ({error.strerror})", "Check the file's permissions") from error


def forget() -> None:
    """Forget the cached tokenizer."""
    _tokenizer.cache_clear()


@lru_cache(maxsize=1)
def _tokenizer(path: Path, _changed: int, _size: int) -> dict[str, Any]:
    with gc_paused():
        return _read_object(path)


def licence_in(folder: Path) -> str | None:
    """The ``license:`` of the model card's front matter; its name where the identifier is only ``other``."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    with card.open("rb") as file:
        text = file.read(_CARD_LIMIT).decode("utf-8", "replace").replace("\r\n", "\n").lstrip()
    front, end, _ = text.removeprefix("---\n").partition("\n---")
    if not text.startswith("---\n") or not end:
        return None
    lines = (line.partition(":") for line in front.split("\n"))
    fields = {key: _scalar(value) for key, _, value in lines if key in {"license", "license_name"} and _scalar(value)}
    licence = fields.get("license")
    return fields.get("license_name", licence) if licence == "other" else licence


def _scalar(text: str) -> str | None:
    """A YAML scalar on one line; None if it is another thing."""
    value = text.strip()
    for quote in "'\"":
        value = value.removeprefix(quote).removesuffix(quote)
    return value if value and not set(value) & set("'\"#") else None
