"""How probable a model finds a text: the log-probabilities from which bits per byte are computed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.live import LiveCache
from guiderail.cache.tree import TokenTree

if TYPE_CHECKING:
    from guiderail.model.model import Model
    from guiderail.model.tokenizer import Tokenizer

# Tokens scored in one go: bounds the memory of the logits (512 x 150,000 in float32 are 300 MB).
CHUNK = 512


@dataclass(frozen=True, slots=True)
class Window:
    """The tokens begin:end of a text are read; of these first:end are scored, in the context of what is read before."""

    begin: int
    first: int
    end: int


def windows(length: int, width: int) -> Iterator[Window]:
    """Windows that score every token once; all but the first window's see at least half a width of context."""
    stride = max(width // 2, 1)
    end = min(width, length)
    if length:
        yield Window(0, 0, end)
    while end < length:
        first, end = end, min(end + stride, length)
        yield Window(max(0, end - width), first, end)


@dataclass(frozen=True, slots=True)
class Scores:
    """Natural log-probabilities at a run of positions.

    Parameters
    ----------
    truth
        Of the text's own token, [n].
    top
        Of the likeliest token, [n].
    """

    truth: torch.Tensor
    top: torch.Tensor

    @property
    def bits(self) -> float:
        """What the truth costs in all."""
        return float(-self.truth.double().sum() / math.log(2))


class Scorer:
    """A model that reads windows of a text.

    Parameters
    ----------
    model
        The model.
    width
        Tokens of a window at most, the beginning mark included; bounded by the model's context.
    """

    def __init__(self, model: Model, width: int) -> None:
        self.model = model
        self.width = min(width, model.info.context_length) - 1  # one for the beginning mark
        self._cache = LiveCache(model, policy="exact")
        self._begin = begin_id(model.tokenizer)

    def score(self, ids: Sequence[int], *, shuffle: random.Random | None = None) -> Scores:
        """Scores of every token of a text, in strided windows.

        Parameters
        ----------
        ids
            The text's tokens.
        shuffle
            Permute the lines of what a window reads before the tokens that it scores.
        """
        parts = []
        for window in windows(len(ids), self.width):
            context = list(ids[window.begin : window.first])
            if shuffle:
                context = shuffled_lines(context, self.model.tokenizer.token_bytes, shuffle)
            parts.append(self._window(context, ids[window.first : window.end]))
        truth, top = torch.cat(parts, dim=1) if parts else torch.zeros(2, 0)
        return Scores(truth, top)

    def _window(self, context: list[int], scored: Sequence[int]) -> torch.Tensor:
        """Truth and top log-probabilities of `scored` after `context`, float32 [2, n], on the CPU."""
        self._cache.clear()
        first = self._cache.feed([self._begin, *context])
        assert first is not None, "nobody cancels"
        columns = [_columns(first[None], scored[:1])]
        for start in range(0, len(scored) - 1, CHUNK):
            read = scored[start : min(start + CHUNK, len(scored) - 1)]
            logits = self._cache.feed_tree(TokenTree.chain(read))
            self._cache.keep(range(len(read)))
            columns.append(_columns(logits, scored[start + 1 : start + 1 + len(read)]))
        return torch.cat(columns, dim=1)


def _columns(logits: torch.Tensor, truth: Sequence[int]) -> torch.Tensor:
    """Log-probabilities of the true tokens and of the likeliest ones, [2, n]; logits are [n, vocabulary]."""
    picked = logits.gather(1, torch.tensor(list(truth), device=logits.device)[:, None])[:, 0]
    norm = logits.logsumexp(-1)
    return torch.stack((picked - norm, logits.amax(-1) - norm)).cpu()


def begin_id(tokenizer: Tokenizer) -> int:
    """The token before a text: what the model wants before every prompt, else the one that ends a text."""
    return min(tokenizer.eos_ids, default=0) if tokenizer.bos_id is None else tokenizer.bos_id


def shuffled_lines(ids: Sequence[int], token_bytes: Sequence[bytes], rng: random.Random) -> list[int]:
    """The ids with their whole lines permuted; an unfinished last line stays last."""
    lines: list[list[int]] = [[]]
    for token in ids:
        lines[-1].append(token)
        if b"\n" in token_bytes[token]:
            lines.append([])
    *whole, last = lines
    rng.shuffle(whole)
    return [token for line in (*whole, last) for token in line]
