"""Model files that another has prepared: in a hub's cache that several people share, or in a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from guiderail.errors import GuiderailError
from guiderail.model import transfer
from guiderail.model.load import load
from tests.helpers.tiny import tiny_model_folder

CONTENT = b"what the hub sends"


class Found:
    """What the hub says of a file."""

    location = "https://localhost/file"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder("qwen2", tmp_path_factory.mktemp("original"))


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_another_put_in_a_shared_cache_is_not_written_to(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The beginning of a transfer is a file: where it is a link, what the hub sends would be added to another's."""

    def sends(_location: str, file: Any, **_options: Any) -> None:
        file.write(CONTENT)

    monkeypatch.setattr("huggingface_hub.file_download.http_get", sends)
    (tmp_path / "precious").write_text("mine")
    blob = tmp_path / "blobs" / hashlib.sha256(CONTENT).hexdigest()
    blob.parent.mkdir()
    part = blob.with_name(f"{blob.name}.part")
    if kind == "pipe":
        os.mkfifo(part)
    elif kind == "folder":
        part.mkdir()
    else:
        part.symlink_to(tmp_path / ("precious" if kind == "link" else "made"))
    try:
        transfer._receive(Found(), blob, len(CONTENT), None)  # pyright: ignore[reportArgumentType]
        assert not blob.is_symlink()
        assert blob.read_bytes() == CONTENT
    except OSError:
        assert kind == "folder"  # nobody's transfer: a person has to look
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json", "tokenizer.json"])
def test_a_description_of_a_terabyte_is_not_read(original: Path, tmp_path: Path, name: str) -> None:
    """A file takes no room on a disk to be as long as that, and thirty times its size in memory."""
    folder = tmp_path / "model"
    shutil.copytree(original, folder)
    with (folder / name).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(GuiderailError, match="has more than"):
        load(str(folder), device="cpu", dtype="float32")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_settings_are_small(original: Path, tmp_path: Path, name: str) -> None:
    """Empty lists, three bytes each, take twenty times as much when they are parsed, and minutes."""
    folder = tmp_path / "model"
    shutil.copytree(original, folder)
    (folder / name).write_text(f'{{"a": [{"[]," * (6 << 20)}[]]}}')
    with pytest.raises(GuiderailError, match="has more than"):
        load(str(folder), device="cpu", dtype="float32")
