"""The weights of a Llama-shaped decoder layer, fused into few matrices and laid out for narrow passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from guiderail.model.checkpoint import Checkpoint
from guiderail.model.matrix import Int8, Layout, Matrix, fine
from guiderail.model.shape import Shape

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
OUT, GATE_UP, DOWN = "self_attn.o_proj", ("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"
_MATRICES = {"qkv": QKV, "out": (OUT,), "gate_up": GATE_UP, "down": (DOWN,)}
# Outliers are in what enters these, and cost most there (docs/speed.md has the figures).
_FINE = frozenset(("qkv", "down"))


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


def read_parts(index: int, checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What one decoder layer is made of (`layer_of`); the vectors, and plain matrices, in `dtype`."""
    shape, front = checkpoint.shape, f"model.layers.{index}."

    def vector(name: str) -> torch.Tensor:
        return checkpoint.read(front + name, dtype).clone()  # no view of the file

    found: dict[str, torch.Tensor] = {}
    for part, names in _MATRICES.items():
        weights = [checkpoint.read(f"{front}{name}.weight", kept(layout, dtype)) for name in names]
        found |= {f"{part}.{i}": one for i, one in enumerate(_layout_of(part, layout).prepared(weights))}
    if shape.head_norm:
        rows = [vector("self_attn.q_norm.weight")] * shape.heads + [vector("self_attn.k_norm.weight")] * shape.kv_heads
        found["head_norm"] = torch.stack(rows)[:, None]
    if shape.qkv_bias:
        found["qkv_bias"] = torch.cat([vector(f"{name}.bias") for name in QKV])
    if shape.out_bias:
        found["out_bias"] = vector(OUT + ".bias")
    found["input_norm"] = vector("input_layernorm.weight")
    found["post_norm"] = vector("post_attention_layernorm.weight")
    return found


def layer_of(parts: Mapping[str, torch.Tensor], index: int, shape: Shape, layout: Layout) -> Layer:
    """The layer that is made of `parts`, from which memory may be taken over."""
    matrices = {name: matrix_of(parts, name, _layout_of(name, layout)) for name in _MATRICES}
    return Layer(
        input_norm=parts["input_norm"],
        qkv=matrices["qkv"],
        qkv_bias=parts.get("qkv_bias"),
        head_norm=parts.get("head_norm"),
        out=matrices["out"],
        out_bias=parts.get("out_bias"),
        post_norm=parts["post_norm"],
        gate_up=matrices["gate_up"],
        down=matrices["down"],
        scale=shape.head_dim**-0.5,
        window=shape.windows[index],
    )


def _layout_of(part: str, layout: Layout) -> Layout:
    return fine(layout) if part in _FINE else layout


def matrix_of(parts: Mapping[str, torch.Tensor], name: str, layout: Layout) -> Matrix:
    """The matrix that was prepared and is called `name` among the parts."""
    return layout.of([parts[key] for key in (f"{name}.0", f"{name}.1") if key in parts])


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
    return layout.of(layout.prepared(weights))
