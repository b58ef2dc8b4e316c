"""The weights of a Llama-shaped decoder layer, fused into few matrices and laid out for narrow passes.

No weight is kept twice: the parameters of the module whose weights they are become views of these matrices, and it goes
on working; or, where the matrices are packed or quantised, they become empty, and it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from guiderail.model.matrix import Layout, Matrix, Plain


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


def read_layer(layer: Any, heads: int, kv_heads: int, layout: Layout) -> Layer:
    """The weights of a transformers decoder layer, whose parameters are views of them afterwards, or empty."""
    attention, mlp = layer.self_attn, layer.mlp
    norm = None
    if hasattr(attention, "q_norm"):
        rows = [attention.q_norm.weight.data] * heads + [attention.k_norm.weight.data] * kv_heads
        norm = torch.stack(rows)[:, None]
    projections = attention.q_proj, attention.k_proj, attention.v_proj
    return Layer(
        input_norm=layer.input_layernorm.weight.data,
        qkv=fuse(*projections, layout=layout),
        qkv_bias=torch.cat([p.bias.data for p in projections]) if projections[0].bias is not None else None,
        head_norm=norm,
        out=fuse(attention.o_proj, layout=layout),
        out_bias=attention.o_proj.bias.data if attention.o_proj.bias is not None else None,
        post_norm=layer.post_attention_layernorm.weight.data,
        gate_up=fuse(mlp.gate_proj, mlp.up_proj, layout=layout),
        down=fuse(mlp.down_proj, layout=layout),
        scale=attention.scaling,
        window=_window(attention),
    )


def give_back_layer(layer: Layer, module: Any) -> None:
    """Give a copy of the decoder layer that `layer` was read from its projections' weights back."""
    attention, mlp = module.self_attn, module.mlp
    unfuse(layer.qkv, attention.q_proj, attention.k_proj, attention.v_proj)
    unfuse(layer.out, attention.o_proj)
    unfuse(layer.gate_up, mlp.gate_proj, mlp.up_proj)
    unfuse(layer.down, mlp.down_proj)


def unfuse(matrix: Matrix, *modules: Any) -> None:
    """Give linear modules their part of the matrix that they were fused to."""
    parts = matrix.weight().split([module.out_features for module in modules])
    for module, part in zip(modules, parts, strict=True):
        module.weight.data = part.clone(memory_format=torch.contiguous_format)


def fuse(*modules: Any, layout: Layout) -> Matrix:
    """One matrix [in, all outs] of linear modules, whose weights become views of it if it is plain, otherwise empty."""
    if layout is Plain:
        return Plain(_laid(modules))
    matrix = layout(torch.cat([module.weight.data for module in modules]))
    for module in modules:
        module.weight.data = module.weight.data.new_empty(0)
    return matrix


def _laid(modules: Sequence[Any]) -> torch.Tensor:
    """One tensor [in, all outs], of which the modules' weights are views afterwards.

    A product of one row takes as long as reading the matrix does, and BLAS reads fastest along the longer side: in
    float32 a matrix with no fewer outputs than inputs is stored input by input (measured: up to twice as fast, and no
    slower for any number of rows), all others stay as torch has them, output by output.
    """
    outs, inputs = [m.weight.shape[0] for m in modules], modules[0].weight.shape[1]
    if modules[0].weight.dtype == torch.float32 and sum(outs) >= inputs:
        matrix = modules[0].weight.data.new_empty(inputs, sum(outs))
    elif len(modules) == 1:
        return modules[0].weight.data.t()
    else:
        matrix = modules[0].weight.data.new_empty(sum(outs), inputs).t()
    for module, part in zip(modules, matrix.split(outs, 1), strict=True):
        part.copy_(module.weight.data.t())
        module.weight.data = part.t()
    return matrix


def _window(attention: Any) -> int | None:
    """The sliding window of an attention module, read where its architecture keeps it."""
    if hasattr(attention, "sliding_window"):
        return attention.sliding_window
    return getattr(attention.config, "sliding_window", None) if "Mistral" in type(attention).__name__ else None
