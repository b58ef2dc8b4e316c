"""Laws of the validation figure."""

from __future__ import annotations

import math

import pytest
import torch
from tokenizers import Tokenizer

from training.model import IGNORE, CompletionModel, ModelShape
from training.pack import Packed
from training.tokenizer import END
from training.validation import ValidationSet, bits_per_byte


@pytest.fixture
def model(tokenizer: Tokenizer) -> CompletionModel:
    torch.manual_seed(0)
    size = tokenizer.get_vocab_size()
    return CompletionModel(ModelShape(vocab=size, dim=16, layers=1, heads=2, kv_heads=1, head_dim=8, ffn=16))


def test_a_model_that_knows_nothing_needs_the_logarithm_of_its_vocabulary(
    packed: Packed, tokenizer: Tokenizer, model: CompletionModel
):
    """With equal scores every token costs log2 of the vocabulary; the sum is shared by the bytes of the text."""
    data = ValidationSet(packed, tokenizer, rows=3, context=64)
    for parameter in model.parameters():
        parameter.data.zero_()
    tokens = int((data.labels != IGNORE).sum())
    expected = tokens * math.log2(tokenizer.get_vocab_size()) / data.bytes
    assert bits_per_byte(model, data) == pytest.approx(expected, rel=1e-4)


def test_rows_predict_each_token_of_a_beginning_once(packed: Packed, tokenizer: Tokenizer):
    """Inputs are the labels one place later, after an end of text, and the bytes are those of the labels."""
    data = ValidationSet(packed, tokenizer, rows=4, context=64)
    assert len(data.inputs) == 4
    size = 0
    for inputs, labels in zip(data.inputs.tolist(), data.labels.tolist(), strict=True):
        kept = [label for label in labels if label != IGNORE]
        assert inputs[: len(kept)] == [END, *kept[:-1]]
        size += len(tokenizer.decode(kept, skip_special_tokens=False).encode())
    assert size == data.bytes


def test_the_figure_does_not_depend_on_how_rows_are_grouped(
    packed: Packed, tokenizer: Tokenizer, model: CompletionModel
):
    """One row at a time or all at once."""
    data = ValidationSet(packed, tokenizer, rows=4, context=48)
    assert bits_per_byte(model, data, rows=1) == pytest.approx(bits_per_byte(model, data, rows=4), rel=1e-6)
