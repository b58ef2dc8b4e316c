"""A lean forward pass for Llama-shaped models on a CPU, an alternative to transformers' own modules.

A small model's decode step is dominated by the overhead of Python modules, not by arithmetic. This is the same
computation with the fewest tensor operations: one matrix for query, key and value, one for gate and up, positions
looked up in a table. It is made of the files' own tensors (no weight is kept twice, but for a tied embedding that is
packed), without a module, and is tested equal to one. Architectures that it does not know take the module's path.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch
from torch.nn.functional import embedding, rms_norm, silu

from guiderail.model import threads
from guiderail.model.attention import Step, attend
from guiderail.model.checkpoint import Checkpoint, check_numbers
from guiderail.model.fused import Layer, layer_of, layer_state, matrix_of, read_parts
from guiderail.model.matrix import Int8, Layout, Plain, fine
from guiderail.model.tensor_cache import NoTensorCache, TensorCache, Tensors

TABLE = "model.embed_tokens.weight"
MOST_WORKERS = 4  # that lay out weights: each holds a layer's matrix twice meanwhile


class LeanForward:
    """The forward pass of one Llama-shaped model.

    Parameters
    ----------
    checkpoint
        Its weights, each of which is read once.
    layout
        How its matrices lie in memory.
    dtype
        Of activations, keys and values.
    kept
        Where the parts are that the matrices are made of; of those that are there nothing is read from the checkpoint.

    Attributes
    ----------
    embedding
        [vocabulary, hidden], in `dtype` or in the narrower type in which it is stored.
    frequencies
        Rotary frequencies, float32 [head_dim / 2].

    Raises
    ------
    MissingWeightsError
        If weights cannot be read, or are no numbers.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        layout: Layout,
        dtype: torch.dtype,
        kept: TensorCache | NoTensorCache | None = None,
    ) -> None:
        kept = kept or NoTensorCache()
        shape = self.shape = checkpoint.shape
        self.eps, self.heads, self.kv_heads, self.head_dim = shape.eps, shape.heads, shape.kv_heads, shape.head_dim
        self.frequencies, self._attention_factor = checkpoint.rope
        # Before the layers: it takes the table in float32 for a moment, which should not stand beside all the rest.
        parts, self.embedding = _ends(checkpoint, layout, dtype, kept)
        self.final_norm = parts["final_norm"]
        with _workers() as pool:  # laying out is most of loading, and torch lets other threads run meanwhile
            unembedding = pool.submit(matrix_of, parts, "unembedding", fine(layout))
            layers = pool.map(lambda index: _layer(index, checkpoint, layout, dtype, kept), range(shape.layers))
            self.layers = list(layers)
            self.unembedding = unembedding.result()
        self._cos, self._sin = self._table(shape.context)
        self._factors = self._head_factors()

    def state(self) -> dict[str, torch.Tensor]:
        """The weights under transformers' names and in its layout; of quantised ones the rounded, in float32."""
        found = {"model.norm.weight": self.final_norm, "lm_head.weight": self.unembedding.weight()}
        found[TABLE] = found["lm_head.weight"] if self.shape.tied else self.embedding
        for index, layer in enumerate(self.layers):
            found |= {f"model.layers.{index}.{name}": tensor for name, tensor in layer_state(layer, self.shape)}
        return found

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings [q, hidden] of `ids` (int64 [q])."""
        return embedding(ids, self.embedding).to(self.final_norm.dtype)

    def _table(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and signed sin of every position, [length, head_dim]."""
        angles = torch.arange(length)[:, None].float() * self.frequencies
        cos, sin = angles.cos() * self._attention_factor, angles.sin() * self._attention_factor
        dtype = self.final_norm.dtype
        return torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)

    def _head_factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What cos and sin of a single row are multiplied by, [layers, heads + kv heads, head_dim] each.

        QK-norm's weights and, for queries, the scale of the scores.
        """
        factors = self.final_norm.new_ones(len(self.layers), self.heads + self.kv_heads, self.head_dim)
        for factor, layer in zip(factors, self.layers, strict=True):
            if layer.head_norm is not None:
                factor.copy_(layer.head_norm[:, 0])
            factor[: self.heads] *= layer.scale
        return factors, factors.roll(self.head_dim // 2, -1)

    def __call__(
        self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool, layers: int | None = None
    ) -> torch.Tensor:
        """Logits [1 or q, vocabulary] of `ids` (int64 [q], or embeddings [q, hidden]) at `positions` (int64 [q]).

        With `layers` those after so many of the first layers.
        """
        cos, sin = self._cos[positions], self._sin[positions]
        x = ids if ids.is_floating_point() else self.embed(ids)
        if len(x) == 1 and x.dtype == torch.float32:
            return self._row(x, cos, sin, step, layers)
        for index, layer in enumerate(self.layers[:layers]):
            x = self._block(x, index, layer, cos, sin, step)
        if last:
            x = x[-1:]
        return self.unembedding(rms_norm(x, x.shape[-1:], self.final_norm, self.eps))

    def _block(self, x: torch.Tensor, index: int, layer: Layer, cos, sin, step: Step) -> torch.Tensor:
        width, hidden = x.shape
        rotated = self.heads + self.kv_heads
        qkv = layer.qkv(rms_norm(x, (hidden,), layer.input_norm, self.eps), layer.qkv_bias)
        qkv = qkv.view(width, rotated + self.kv_heads, self.head_dim).transpose(0, 1)
        qk, value = qkv[:rotated], qkv[rotated:]
        if layer.head_norm is not None:
            qk = rms_norm(qk, (self.head_dim,), None, self.eps) * layer.head_norm
        # rotate_half(x) * sin, written as a roll by half a head and a sin that carries the sign
        qk = torch.addcmul(qk * cos, qk.roll(self.head_dim // 2, -1), sin)
        step.store.write(index, step.slots, qk[self.heads :], value)
        keys, values = step.store.read(index, step.length)
        out = attend(qk[: self.heads], keys, values, step.mask_for(layer.window), layer.scale)
        x = x + layer.out(out.transpose(0, 1).reshape(width, -1), layer.out_bias)
        gate, up = layer.gate_up(rms_norm(x, (hidden,), layer.post_norm, self.eps)).chunk(2, -1)
        return layer.down.add_product(x, silu(gate) * up)

    def _row(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, step: Step, layers: int | None
    ) -> torch.Tensor:
        """The same for a single row, [1, hidden] in float32, where an operation costs more than its arithmetic.

        Packed matrices are given it as often as they want rows, which is hardly dearer; only attention takes it once.
        """
        all_cos, all_sin = self._factors[0] * cos, self._factors[1] * sin
        x = x.expand(self.unembedding.rows, -1)  # all matrices want as many
        for index, layer in enumerate(self.layers[:layers]):
            x = self._row_block(x, index, layer, all_cos[index], all_sin[index], step)
        return self.unembedding(self._normed(x, self.final_norm))[:1]

    def _row_block(self, x: torch.Tensor, index: int, layer: Layer, cos, sin, step: Step) -> torch.Tensor:
        heads, rotated = self.heads, self.heads + self.kv_heads
        qkv = layer.qkv(self._normed(x, layer.input_norm), layer.qkv_bias)
        qkv = qkv[0].view(rotated + self.kv_heads, self.head_dim)
        qk = qkv[:rotated]
        if layer.head_norm is not None:  # its weights are in cos and sin, as is the scale of the scores
            qk = qk * torch.mul(qk, qk).mean(-1, keepdim=True).add_(self.eps).rsqrt_()
        qk = torch.addcmul(qk * cos, qk.roll(self.head_dim // 2, -1), sin)
        step.store.write(index, step.slots, qk[heads:, None], qkv[rotated:, None])
        keys, values = step.store.read(index, step.length)
        # The queries of a group stand in as the rows of one kv head: no key is repeated.
        scores = torch.bmm(qk[:heads].view(self.kv_heads, -1, self.head_dim), keys.transpose(1, 2))
        if (mask := step.mask_for(layer.window)) is not None:
            scores.masked_fill_(~mask, float("-inf"))
        x = layer.out.add_product(x, torch.bmm(scores.softmax(-1), values).view(1, -1).expand(len(x), -1))
        if layer.out_bias is not None:
            x += layer.out_bias
        gate, up = layer.gate_up(self._normed(x, layer.post_norm)).chunk(2, -1)
        return layer.down.add_product(x, silu(gate).mul_(up))

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """RMSNorm of a single row, in three operations for the six of torch's own."""
        row = x[0]
        return (x * weight).mul_((float(row.dot(row)) / len(row) + self.eps) ** -0.5)


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that lay out weights; each limits torch to one thread."""
    before, count = torch.get_num_threads(), min(MOST_WORKERS, threads.allowed())
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def _layer(
    index: int, checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype, kept: TensorCache | NoTensorCache
) -> Layer:
    parts = kept.get(f"layer-{index}", lambda: read_parts(index, checkpoint, layout, dtype))
    return layer_of(parts, index, checkpoint.shape, layout)


def _ends(
    checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype, kept: TensorCache | NoTensorCache
) -> tuple[Tensors, torch.Tensor]:
    """The parts of the unembedding with the last norm, and the embedding's table [vocabulary, hidden].

    A plain unembedding is the table too where they are tied. Of others rows cannot be read: the table is apart, in a
    file of its own, of which only the rows that are looked up ever come into memory.
    """
    made = cache(lambda: _read_ends(checkpoint, layout, dtype))
    parts = kept.get("unembedding", lambda: {name: one for name, one in made().items() if name != "table"})
    if layout is Plain and checkpoint.shape.tied:
        table = parts["unembedding.0"].t()
    else:
        table = kept.get("table", lambda: {"table": made()["table"]})["table"]
    return parts, table


def _read_ends(checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype) -> Tensors:
    stored, kind = checkpoint.read(TABLE), dtype if layout is not Int8 else None
    source = stored if checkpoint.shape.tied else checkpoint.read("lm_head.weight")
    if kind is not None:
        source = source.to(kind)
        check_numbers("the unembedding", source, checkpoint.name)
    parts: Tensors = {f"unembedding.{i}": one for i, one in enumerate(fine(layout).prepared([source]))}
    if not (layout is Plain and checkpoint.shape.tied):
        parts["table"] = stored.to(_narrowest(stored, layout, dtype), copy=True)
    return parts | {"final_norm": checkpoint.read("model.norm.weight", dtype).clone()}


def _narrowest(stored: torch.Tensor, layout: Layout, dtype: torch.dtype) -> torch.dtype:
    """The type of a table of embeddings: `dtype`, or a narrower one that has all of its numbers.

    Beside 8-bit matrices it has no more than 16 bits.
    """
    if stored.element_size() < dtype.itemsize:
        return stored.dtype
    return torch.bfloat16 if layout is Int8 else dtype
