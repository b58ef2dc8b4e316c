"""8-bit weights in a transformers module: its linear layers replaced, everything else computed in float32.

A model is read in bfloat16 and quantised matrix by matrix, so that it never takes much more memory than in bfloat16.
Its embedding table stays in bfloat16: rows are looked up in it and not multiplied.
"""

from __future__ import annotations

from typing import Any

import torch

from guiderail.model.matrix import FineInt8, Int8

# What enters these has few outliers, as in the lean pass (`fused.layer_of`): the output of attention, and the first
# matrix of a feed-forward block under the names of the supported families.
_COARSE = frozenset(("o_proj", "gate_proj", "up_proj", "gate_up_proj", "c_fc", "fc1"))


class QuantisedLinear(torch.nn.Module):
    """A linear layer with 8-bit weights.

    Parameters
    ----------
    linear
        The layer that it stands in for; its weights are emptied.
    kind
        How its activations are rounded.
    """

    def __init__(self, linear: torch.nn.Linear, kind: type[Int8]) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.matrix = kind(linear.weight.data)
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T + bias`; float32 [..., out] of float32 [..., in]."""
        return self.matrix(x.flatten(0, -2), self.bias).unflatten(0, x.shape[:-1])


def widen(module: torch.nn.Module) -> None:
    """Have a module compute in float32; the weights of its linear layers and embeddings stay as they are."""
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            part.register_forward_hook(_as_float32)
            continue
        for name, parameter in part.named_parameters(recurse=False):
            if not (isinstance(part, torch.nn.Linear) and name == "weight"):
                parameter.data = parameter.data.float()
        for name, buffer in part.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(part, name, buffer.float())


def quantise(module: torch.nn.Module) -> None:
    """Replace every linear layer of a `widen`-ed module by a quantised one."""
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(part, name, QuantisedLinear(child, Int8 if name in _COARSE else FineInt8))
                child.weight.data = child.weight.data.new_empty(0) if not _is_tied(child, module) else child.weight.data


def restore(module: torch.nn.Module) -> None:
    """Give a module linear layers of the rounded weights, in float32, in place of quantised ones."""
    for part in list(module.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, QuantisedLinear):
                setattr(part, name, _linear(child.matrix.weight(), child.bias))


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> torch.nn.Linear:
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = torch.nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = torch.nn.Parameter(bias.data.clone(), requires_grad=False)
    return linear


def _is_tied(linear: torch.nn.Linear, module: Any) -> bool:
    return linear.weight is module.get_input_embeddings().weight


def _as_float32(_module: torch.nn.Module, _given: Any, output: torch.Tensor) -> torch.Tensor:
    return output.float()
