"""The weights of a Llama-shaped decoder layer, fused into few matrices and laid out for narrow passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from guiderail.model.checkpoint import Checkpoint
from guiderail.model.matrix import Int8, Layout, Matrix, Plain
from guiderail.model.shape import Shape

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
OUT, GATE_UP, DOWN = "self_attn.o_proj", ("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"


@dataclass(slots=True)
class Layer:
    """One layer's weights.

    Parameters
    ----------
    input_norm, post_norm
        [hidden].
    qkv, out, gate_up, down
        [in, out].
    qkv_bias, out_bias
        [out], None where there is none.
    head_norm
        QK-norm's weights, a row for each query and key head, [heads + kv heads, 1, head_dim]; None where there is none.
    scale
        Factor on the attention scores.
    window
        Tokens that the sliding window sees; None is all.
    """

    input_norm: torch.Tensor
    qkv: Matrix
    qkv_bias: torch.Tensor | None
    head_norm: torch.Tensor | None
    out: Matrix
    out_bias: torch.Tensor | None
    post_norm: torch.Tensor
    gate_up: Matrix
    down: Matrix
    scale: float
    window: int | None


def read_layer(index: int, checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype) -> Layer:
    """The weights of one decoder layer; the vectors, and plain matrices, in `dtype`."""
    shape, front = checkpoint.shape, f"model.layers.{index}."

    def vector(name: str) -> torch.Tensor:
        return checkpoint.read(front + name, dtype).clone()  # no view of the file

    def matrix(*names: str) -> Matrix:
        return fuse([checkpoint.read(front + name, kept(layout, dtype)) for name in names], layout)

    norm = None
    if shape.head_norm:
        rows = [vector("self_attn.q_norm.weight")] * shape.heads + [vector("self_attn.k_norm.weight")] * shape.kv_heads
        norm = torch.stack(rows)[:, None]
    return Layer(
        input_norm=vector("input_layernorm.weight"),
        qkv=matrix(*(f"{name}.weight" for name in QKV)),
        qkv_bias=torch.cat([vector(f"{name}.bias") for name in QKV]) if shape.qkv_bias else None,
        head_norm=norm,
        out=matrix(OUT + ".weight"),
        out_bias=vector(OUT + ".bias") if shape.out_bias else None,
        post_norm=vector("post_attention_layernorm.weight"),
        gate_up=matrix(*(f"{name}.weight" for name in GATE_UP)),
        down=matrix(DOWN + ".weight"),
        scale=shape.head_dim**-0.5,
        window=shape.windows[index],
    )


def kept(layout: Layout, dtype: torch.dtype) -> torch.dtype | None:
    """The type in which a matrix of this layout is made; None: in any, so that it is read as it is stored."""
    return None if layout is Int8 else dtype


def layer_state(layer: Layer, shape: Shape) -> Iterator[tuple[str, torch.Tensor]]:
    """The layer's weights under transformers' names and in its layout; new tensors, or views."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    yield "input_layernorm.weight", layer.input_norm
    yield "post_attention_layernorm.weight", layer.post_norm
    yield OUT + ".weight", layer.out.weight()
    yield DOWN + ".weight", layer.down.weight()
    yield from _named(GATE_UP, "weight", layer.gate_up.weight(), [shape.inner] * 2)
    yield from _named(QKV, "weight", layer.qkv.weight(), [queries, keys, keys])
    if layer.qkv_bias is not None:
        yield from _named(QKV, "bias", layer.qkv_bias, [queries, keys, keys])
    if layer.out_bias is not None:
        yield OUT + ".bias", layer.out_bias
    if layer.head_norm is not None:
        yield "self_attn.q_norm.weight", layer.head_norm[0, 0]
        yield "self_attn.k_norm.weight", layer.head_norm[-1, 0]


def _named(
    names: Sequence[str], kind: str, whole: torch.Tensor, sizes: list[int]
) -> Iterator[tuple[str, torch.Tensor]]:
    return zip((f"{name}.{kind}" for name in names), whole.split(sizes), strict=True)


def fuse(weights: Sequence[torch.Tensor], layout: Layout) -> Matrix:
    """One matrix [in, all outs] of weights that are [out, in] each; it shares no memory with them."""
    if layout is Plain:
        return Plain(_laid(weights))
    return layout(weights[0] if len(weights) == 1 else torch.cat(list(weights)))


def _laid(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """One tensor [in, all outs].

    A product of one row takes as long as reading the matrix does, and BLAS reads fastest along the longer side: in
    float32 a matrix with no fewer outputs than inputs is stored input by input (measured: up to twice as fast, and no
    slower for any number of rows), all others stay as torch has them, output by output.
    """
    outs, inputs = [len(weight) for weight in weights], weights[0].shape[1]
    if weights[0].dtype == torch.float32 and sum(outs) >= inputs:
        matrix = weights[0].new_empty(inputs, sum(outs))
    else:
        matrix = weights[0].new_empty(sum(outs), inputs).t()
    for weight, part in zip(weights, matrix.split(outs, 1), strict=True):
        part.copy_(weight.t())
    return matrix
