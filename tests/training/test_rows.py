from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from training.bundle import read_bundle, write_bundle
from training.corpus import Document
from training.fim import MARK
from training.pack import Packed, load_packed
from training.rows import IGNORE, Mixture, Rows
from training.tokenizer import END, FILE, MIDDLE, PAD, PREFIX, REPO, SUFFIX

MIXTURE = Mixture(fim=0.5, bare=0.25, psm=0.35, spm=0.45, efim=0.2)


def test_packing_keeps_every_text(packed: Packed, documents: list[Document], tokenizer: Tokenizer):
    """The packed tokens of each file decode to its text."""
    for file, document in zip(packed.files, documents, strict=True):
        assert (file.package, file.path) == (document.package, document.path)
        assert tokenizer.decode(packed.tokens[file.start : file.stop].tolist()) == document.text


@pytest.mark.parametrize("context", [64, 200])
def test_an_epoch_loses_no_token(packed: Packed, tokenizer: Tokenizer, context: int):
    """Rows without headers and holes hold each token of the corpus once."""
    rows = Rows(packed, tokenizer, 5, replace(MIXTURE, fim=0.0, bare=1.0), lanes=1)
    seen: list[int] = []
    while len(seen) < 2 * len(packed.tokens):
        seen += [token for token in rows.row(context).tolist() if token not in (PAD, END)]
    epoch = seen[: len(packed.tokens)]
    assert np.array_equal(np.bincount(epoch, minlength=512), np.bincount(packed.tokens, minlength=512))


def test_rows_go_on_exactly_where_a_state_was_taken(packed: Packed, tokenizer: Tokenizer):
    """A stream restored from its state, through JSON and across epochs, gives the same rows."""
    first, second = (Rows(packed, tokenizer, seed, MIXTURE, lanes=4) for seed in (7, 7))
    for _ in range(150):
        first.row(64)
    second.restore(json.loads(json.dumps(first.state())))
    for context in (64, 64, 200) * 20:
        assert np.array_equal(first.row(context), second.row(context))


def test_rows_never_cut_a_hole_in_two(packed: Packed, tokenizer: Tokenizer):
    """Every prefix marker is followed in its row by the other two markers and the end token."""
    rows = Rows(packed, tokenizer, 1, replace(MIXTURE, fim=1.0))
    held = 0
    for _ in range(100):
        row = [t for t in rows.row(160).tolist() if t in (PREFIX, SUFFIX, MIDDLE, END)]
        while PREFIX in row:
            start = row.index(PREFIX)
            assert row[start : start + 4] == [PREFIX, SUFFIX, MIDDLE, END]
            row = row[start + 4 :]
            held += 1
    assert held > 60


def test_paths_and_names_stand_before_the_contents(packed: Packed, tokenizer: Tokenizer):
    """A name is followed by a path, both end their line, and a share of items has neither."""
    rows = Rows(packed, tokenizer, 2, MIXTURE)
    text = "".join(tokenizer.decode(rows.row(200).tolist(), skip_special_tokens=False) for _ in range(200))
    paths = {file.path for file in packed.files}
    assert text.count("<|repo_name|>cpython\n<|file_sep|>") == text.count("<|repo_name|>") > 0
    assert all(part.split("\n")[0] in paths for part in text.split("<|file_sep|>")[1:])
    assert FILE != REPO


def test_padding_is_not_learned(packed: Packed, tokenizer: Tokenizer):
    """Labels are the next tokens, and padding is ignored."""
    inputs, labels = Rows(packed, tokenizer, 3, MIXTURE).batch(8, 100)
    assert inputs.shape == labels.shape == (8, 100)
    assert (labels >= MARK).any()
    same = labels[:, :-1] % MARK == inputs[:, 1:]
    assert np.all(same | ((labels[:, :-1] == IGNORE) & (inputs[:, 1:] == PAD)))


def test_a_bundle_carries_the_corpus(work: Path, packed: Packed, tmp_path: Path):
    """What comes out of a bundle is what went in, and a small limit is kept to."""
    count = write_bundle(work, tmp_path / "bundle", limit=2**22)
    read_bundle(tmp_path / "bundle", tmp_path / "work")
    back = load_packed(tmp_path / "work" / "packed" / "train")
    assert count == len(packed.tokens)
    assert np.array_equal(back.tokens, packed.tokens) and back.files == packed.files
    assert write_bundle(work, tmp_path / "small", limit=1000) == 0
