"""Validation on packages kept out of training, in bits per byte so that tokenizers can be compared."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from training.model import IGNORE, CompletionModel
from training.pack import Packed
from training.tokenizer import END


class ValidationSet:
    """The beginnings of some files, as rows that start after an end-of-text token."""

    def __init__(self, packed: Packed, tokenizer: Tokenizer, rows: int, context: int) -> None:
        files = packed.files[:: max(1, len(packed.files) // rows)][:rows]
        self.inputs = np.full((len(files), context), END, dtype=np.int64)
        self.labels = np.full((len(files), context), IGNORE, dtype=np.int64)
        self.bytes = 0
        for row, file in enumerate(files):
            tokens = packed.tokens[file.start : min(file.stop, file.start + context)].astype(np.int64)
            self.inputs[row, 1 : len(tokens)] = tokens[:-1]
            self.labels[row, : len(tokens)] = tokens
            self.bytes += len(tokenizer.decode(tokens.tolist(), skip_special_tokens=False).encode(errors="replace"))


@torch.no_grad()
def bits_per_byte(model: CompletionModel, data: ValidationSet, rows: int = 4) -> float:
    """Cross-entropy of the validation text by the number of its bytes."""
    device = model.model.embed_tokens.weight.device
    nats = 0.0
    for start in range(0, len(data.inputs), rows):
        inputs = torch.from_numpy(data.inputs[start : start + rows]).to(device)
        labels = torch.from_numpy(data.labels[start : start + rows]).to(device)
        for one, label in zip(inputs, labels, strict=True):
            logits = model.logits(one[None]).squeeze(0).float()
            nats += float(F.cross_entropy(logits, label, ignore_index=IGNORE, reduction="sum"))
    return nats / math.log(2) / data.bytes
