"""The weights of a Llama-shaped decoder layer, fused into few matrices and laid out for products with one row.

The module whose weights they are goes on working: its parameters become views of these matrices, so that no weight is
kept twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(slots=True)
class Layer:
    """One layer's weights; a product is `x @ matrix`.

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
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    head_norm: torch.Tensor | None
    out: torch.Tensor
    out_bias: torch.Tensor | None
    post_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor
    scale: float
    window: int | None


def read_layer(layer: Any, heads: int, kv_heads: int) -> Layer:
    """The weights of a transformers decoder layer, whose parameters are views of them afterwards."""
    attention, mlp = layer.self_attn, layer.mlp
    norm = None
    if hasattr(attention, "q_norm"):
        rows = [attention.q_norm.weight.data] * heads + [attention.k_norm.weight.data] * kv_heads
        norm = torch.stack(rows)[:, None]
    projections = attention.q_proj, attention.k_proj, attention.v_proj
    return Layer(
        input_norm=layer.input_layernorm.weight.data,
        qkv=fuse(*projections),
        qkv_bias=torch.cat([p.bias.data for p in projections]) if projections[0].bias is not None else None,
        head_norm=norm,
        out=fuse(attention.o_proj),
        out_bias=attention.o_proj.bias.data if attention.o_proj.bias is not None else None,
        post_norm=layer.post_attention_layernorm.weight.data,
        gate_up=fuse(mlp.gate_proj, mlp.up_proj),
        down=fuse(mlp.down_proj),
        scale=attention.scaling,
        window=_window(attention),
    )


def fuse(*modules: Any) -> torch.Tensor:
    """One matrix [in, all outs] of linear modules, whose weights become views of it.

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
