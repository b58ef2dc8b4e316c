"""Laws of the packed corpus."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from training import pack as module
from training.corpus import Document
from training.pack import load_packed, pack
from training.tokenizer import load_tokenizer


def test_files_lie_one_behind_the_other(documents: list[Document], tokenizer: Tokenizer, tmp_path: Path):
    """The table covers the array without gaps, in the order of the documents."""
    count = pack(documents, tokenizer, tmp_path / "part")
    packed = load_packed(tmp_path / "part")
    ends = [0, *(file.stop for file in packed.files)]
    assert [file.start for file in packed.files] == ends[:-1] and ends[-1] == count == len(packed.tokens)
    assert [file.path for file in packed.files] == [document.path for document in documents]


def test_batches_change_nothing(documents: list[Document], tokenizer: Tokenizer, tmp_path: Path, monkeypatch):
    """However many documents are tokenised at a time, the bytes are the same."""
    pack(documents, tokenizer, tmp_path / "whole")
    monkeypatch.setattr(module, "BATCH", 3)
    pack(documents, tokenizer, tmp_path / "pieces")
    for suffix in (".bin", ".files.jsonl"):
        whole, pieces = ((tmp_path / name).with_suffix(suffix) for name in ("whole", "pieces"))
        assert whole.read_bytes() == pieces.read_bytes()


def test_a_file_that_spells_a_marker_is_left_out(documents: list[Document], work: Path, tmp_path: Path):
    """Text that would be read as a control token never reaches the corpus."""
    tokenizer = load_tokenizer(work / "tokenizer")
    spelt = Document("tool", "tool/a.py", 'MARK = "<|fim_middle|>"\n')
    pack([documents[0], spelt, documents[1]], tokenizer, tmp_path / "part")
    assert spelt.path not in {file.path for file in load_packed(tmp_path / "part").files}
