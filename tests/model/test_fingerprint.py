"""Laws of the mark that tells the weights of two models apart."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.model import fingerprint as module
from guiderail.model.fingerprint import fingerprint
from guiderail.model.info import read_info
from tests.helpers.models import tiny_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder("qwen3"), tmp_path / "model"))


def test_a_copy_elsewhere_under_another_name_is_the_same_model(folder: Path) -> None:
    assert fingerprint(read_info(folder, "a")) == fingerprint(read_info(tiny_folder("qwen3"), "b"))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_one_changed_byte_of_any_deciding_file_is_another_model(folder: Path, name: str) -> None:
    info = read_info(folder, "a")
    before = fingerprint(info)
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    assert fingerprint(info) != before


def test_of_a_large_file_pieces_from_one_end_to_the_other_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training changes nearly every weight: some piece shows it, and little is read."""
    monkeypatch.setattr(module, "_PIECE", 512)
    monkeypatch.setattr(module, "_PIECES", 8)
    weights, info = folder / "model.safetensors", read_info(folder, "a")
    before, data = fingerprint(info), weights.read_bytes()
    for changed in (range(512), range(len(data) - 512, len(data)), range(4096, len(data) - 4096)):
        other = bytearray(data)
        for index in changed:
            other[index] ^= 1
        weights.write_bytes(other)
        assert fingerprint(info) != before
    assert sum(map(len, module._pieces(weights))) == 8 * 512


def test_a_hub_model_is_known_by_its_commit(folder: Path) -> None:
    assert fingerprint(replace(read_info(folder, "a"), revision="0123abc")) == "0123abc"
