"""Estimates what a model costs on a machine, from its sizes and measured rates; nothing is loaded or run.

A pass is four things: products with the weights, attention, what is done to each activation, and what each layer takes
however little it computes. Of each a machine is measured once (`machine`), and a model says how much of it it needs.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from guiderail.model.info import ModelInfo

ROWS = (1, 8, 256)  # of a product, at which machines are measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """The sizes of a decoder, as its weights file has them.

    Parameters
    ----------
    architecture
        The transformers class.
    vocabulary, hidden, inner, layers, heads, kv_heads, head_dim
        Sizes; `inner` is the width of the feed-forward part.
    context
        Tokens that it was made for.
    tied
        Whether the file holds one table for embeddings and scores.
    gated
        Whether the feed-forward part has three matrices and not two.
    biases
        Which products have one.
    norm_biases
        Whether the norms have one.
    """

    architecture: str
    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    tied: bool
    gated: bool = True
    biases: Literal["none", "qkv", "all"] = "none"
    norm_biases: bool = False

    @property
    def table(self) -> int:
        """Numbers in the table of embeddings."""
        return self.vocabulary * self.hidden

    @property
    def layer_weights(self) -> int:
        """Numbers in the matrices of a layer, each of which every token is multiplied by."""
        attention = 2 * (self.heads + self.kv_heads) * self.head_dim
        return self.hidden * (attention + (3 if self.gated else 2) * self.inner)

    @property
    def parameters(self) -> int:
        """Numbers in the file."""
        norms = self.hidden * (2 if self.norm_biases else 1)
        layer = self.layer_weights + self._layer_biases() + 2 * norms
        return self.table * (1 if self.tied else 2) + self.layers * layer + norms

    @property
    def cache_width(self) -> int:
        """Numbers among the keys and values of a token."""
        return 2 * self.layers * self.kv_heads * self.head_dim

    def _layer_biases(self) -> int:
        if self.biases == "none":
            return 0
        qkv = (self.heads + 2 * self.kv_heads) * self.head_dim
        rest = 2 * self.hidden + (2 if self.gated else 1) * self.inner
        return qkv + (rest if self.biases == "all" else 0)

    def info(self, name: str) -> ModelInfo:
        """The `ModelInfo` of such a model, as far as its memory depends on it."""
        return ModelInfo(
            name=name, folder=Path(), revision=None, family="", parameters=self.parameters, bytes_on_disk=0,
            licence=None, context_length=self.context, fim=None, architecture=self.architecture,
            cache_width=self.cache_width, tied=self.table if self.tied else 0, table=self.table,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast one machine computes in one precision.

    Parameters
    ----------
    products
        Multiply-adds a second in products with a weight matrix, of each number of rows in `ROWS`.
    attention
        Multiply-adds a second in attention of a single token, and of 256.
    activations
        Numbers a second that norms, rotations, gates and sums go through, in a pass of 256 tokens.
    layer_s
        Seconds that a layer takes beside all that, in a pass of a single token, and of several.

    Raises
    ------
    TypeError, ValueError
        These cannot have been measured.
    """

    products: tuple[float, ...]
    attention: tuple[float, ...]
    activations: float
    layer_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError for what is no rate."""
        if (len(self.products), len(self.attention), len(self.layer_s)) != (len(ROWS), 2, 2):
            raise ValueError("there are other rates")
        if not all(math.isfinite(rate) and rate > 0 for rate in (*self.products, *self.attention, self.activations)):
            raise ValueError("these are no rates")
        if not all(math.isfinite(seconds) and seconds >= 0 for seconds in self.layer_s):
            raise ValueError("these are no times")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model costs on a machine.

    Parameters
    ----------
    first_s
        Seconds to the first token of a prompt that was never seen.
    edit_s
        The same after an edit of a prompt that the cache holds.
    tokens_per_s
        Tokens a second after that prompt, one in each pass.
    """

    first_s: float
    edit_s: float
    tokens_per_s: float

    def __post_init__(self) -> None:
        """Raise ValueError for what is no cost."""
        if not all(math.isfinite(value) and value > 0 for value in astuple(self)):
            raise ValueError("this is no cost")


def cost(decoder: Decoder, rates: Rates, *, prompt: int, edited: int, chunk: int) -> Cost:
    """What a model costs.

    Parameters
    ----------
    decoder, rates
        The model and the machine.
    prompt
        Tokens of the prompt.
    edited
        Tokens that are computed again after an edit.
    chunk
        Tokens of a pass at most.
    """
    prompt = min(prompt, decoder.context)
    first = _encoding(decoder, rates, prompt, prompt, chunk)
    again = _encoding(decoder, rates, min(edited, prompt), prompt, chunk)
    return Cost(first, min(first, again), 1 / pass_seconds(decoder, rates, 1, prompt))


def _encoding(decoder: Decoder, rates: Rates, tokens: int, length: int, chunk: int) -> float:
    """Seconds to compute the last `tokens` of `length` tokens."""
    seconds, start = 0.0, length - tokens
    while start < length:
        end = min(length, start + chunk)
        seconds += pass_seconds(decoder, rates, end - start, end)
        start = end
    return seconds


def pass_seconds(decoder: Decoder, rates: Rates, rows: int, length: int) -> float:
    """Seconds of a pass over `rows` tokens that ends a sequence of `length`; the last token is scored."""
    layer = (
        decoder.layer_weights * product_seconds(rates, rows)
        + _attention(decoder, rates, rows, length)
        + rows * activations(decoder.hidden, decoder.inner) / rates.activations
        + max(rates.layer_s[: min(rows, 2)])
    )
    return decoder.layers * layer + decoder.table * product_seconds(rates, 1)


def activations(hidden: int, inner: int) -> int:
    """Numbers that a layer's small operations go through for each token."""
    return 4 * hidden + 3 * inner


def product_seconds(rates: Rates, rows: int) -> float:
    """Seconds for each weight of a matrix, of a product of so many rows: more rows never take less.

    Between the measured numbers of rows, the time lies on the line between theirs; beyond, it grows with the rows.
    """
    times, longest = list[float](), 0.0
    for count, rate in zip(ROWS, rates.products, strict=True):
        longest = max(longest, count / rate)
        times.append(longest)
    if rows >= ROWS[-1]:
        return times[-1] * rows / ROWS[-1]
    below = max(i for i, count in enumerate(ROWS) if count <= rows)
    share = (rows - ROWS[below]) / (ROWS[below + 1] - ROWS[below])
    return times[below] + share * (times[below + 1] - times[below])


def _attention(decoder: Decoder, rates: Rates, rows: int, length: int) -> float:
    """Seconds of a layer's attention; of a few rows at most what as many single ones take."""
    each = 2 * length * decoder.heads * decoder.head_dim
    alone, wide = each / rates.attention[0], each / rates.attention[1]
    return min(rows * alone, max(alone, rows * wide))
