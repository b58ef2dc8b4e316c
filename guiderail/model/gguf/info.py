"""The description of a model, read from its GGUF file without loading weights."""

from __future__ import annotations

from pathlib import Path

from guiderail.model.gguf.config import configuration
from guiderail.model.gguf.file import GgufFile, open_file
from guiderail.model.gguf.vocabulary import infill_format
from guiderail.model.info import ModelInfo, cache_width, licence_in


def read_gguf_info(path: Path, name: str, revision: str | None = None) -> ModelInfo:
    """Read what the head of a file, and of its other shards, says about the model.

    Raises
    ------
    ModelFolderError
        If the file cannot be used.
    """
    file = open_file(path)
    config = configuration(file)
    table = file.tensors["token_embd.weight"].numbers
    return ModelInfo(
        name=name,
        folder=path.parent,
        revision=revision,
        family=config["model_type"],
        parameters=sum(entry.numbers for entry in file.tensors.values()),
        bytes_on_disk=sum(path.stat().st_size for path in file.paths),
        licence=_licence(file) or licence_in(path.parent),
        context_length=config["max_position_embeddings"],
        fim=infill_format(file),
        architecture=config["architectures"][0],
        cache_width=cache_width(config),
        tied=table if config["tie_word_embeddings"] else 0,
        file=file.paths[0],
        table=table,
    )


def _licence(file: GgufFile) -> str | None:
    """The licence that the file states; its name where the identifier is only ``other``."""
    stated = file.header.text("general.license")
    return (file.header.text("general.license.name") or stated if stated == "other" else stated) or None
