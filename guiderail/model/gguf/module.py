"""A model with the weights of a GGUF file: Llama-shaped ones as they lie there, others as a transformers module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from guiderail.model.checkpoint import Checkpoint
from guiderail.model.gguf.config import configuration
from guiderail.model.gguf.file import GgufFile
from guiderail.model.gguf.header import GgufError, damaged
from guiderail.model.gguf.weights import GgufWeights, rope_factors
from guiderail.model.plain import empty
from guiderail.model.rope import frequencies
from guiderail.model.shape import shape_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def build_module(file: GgufFile, dtype: torch.dtype, attention: str) -> PreTrainedModel:
    """The module, every parameter filled from the file.

    Parameters
    ----------
    file
        The file.
    dtype
        Of the parameters.
    attention
        The registered attention function.

    Raises
    ------
    GgufError
        If tensors are missing or of the wrong shape; before memory is taken for them.
    """
    values = _with_rope_factors(configuration(file), file)
    _check(file, values, dtype, attention)
    module = empty(values, dtype, attention)
    weights = GgufWeights(file, values, _names(module), dtype)
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name in weights:
            weights.read_into(name, parameters[name].data)
    _apply_rope_freqs(module, file)
    return module.eval()


def checkpoint_of(file: GgufFile, name: str) -> Checkpoint | None:
    """A Llama-shaped model as it lies in the file; None if it takes transformers' module, if only to say what is amiss.

    Raises
    ------
    GgufError
        If the configuration, or factors of the rotary frequencies, contradict themselves.
    """
    values = configuration(file)
    shape = shape_of(values)
    if shape is None:
        return None
    wanted = shape.tensors()
    weights = GgufWeights(file, values, iter(wanted), torch.float32)
    if any(part not in weights or weights.shape(part) != size for part, size in wanted.items()):
        return None
    found, attention_factor = frequencies(shape.rope, shape.head_dim, shape.context)
    return Checkpoint(name, values, shape, weights, (_divided(found, file), attention_factor), file.paths)


def _names(module: PreTrainedModel) -> Any:
    return (name for name, _ in module.named_parameters())


def _check(file: GgufFile, values: dict[str, Any], dtype: torch.dtype, attention: str) -> None:
    """Compare every parameter with the file, on a module that takes no memory."""
    try:
        module = empty(values, dtype, attention, device="meta")
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise damaged(file.paths[0], f"its configuration makes no model ({reason})") from error
    weights = GgufWeights(file, values, _names(module), dtype)
    missing = []
    for name, parameter in module.named_parameters():
        if name not in weights:
            missing.append(name)
        elif weights.shape(name) != tuple(parameter.shape):
            raise damaged(
                file.paths[0], f"{name} has the shape {weights.shape(name)}, wanted is {tuple(parameter.shape)}"
            )
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise GgufError(
            f"{file.paths[0]} lacks weights of a {type(module).__name__}: {shown}", "Fetch another file of the model"
        )


def _with_rope_factors(values: dict[str, Any], file: GgufFile) -> dict[str, Any]:
    """Fill in the factors of Phi-3's rotary frequencies, which lie in the file as tensors."""
    long, short = rope_factors(file, "rope_factors_long"), rope_factors(file, "rope_factors_short")
    if long is None or short is None or values["rope_parameters"].get("rope_type") != "longrope":
        return values
    original = file.number("rope.scaling.original_context_length", values["max_position_embeddings"])
    more: dict[str, Any] = {
        "long_factor": long, "short_factor": short, "original_max_position_embeddings": original,
        "factor": max(1.0, values["max_position_embeddings"] / max(1, original)),
    }  # fmt: skip
    if file.get("rope.scaling.attn_factor") is not None:
        more["attention_factor"] = file.real("rope.scaling.attn_factor")
    return values | {"rope_parameters": values["rope_parameters"] | more}


def _apply_rope_freqs(module: PreTrainedModel, file: GgufFile) -> None:
    for name, buffer in module.named_buffers():
        if name.endswith("inv_freq"):
            buffer.copy_(_divided(buffer, file))


def _divided(found: torch.Tensor, file: GgufFile) -> torch.Tensor:
    """Rotary frequencies, divided by the factors in the file: Llama 3's scaling, already worked out."""
    factors = rope_factors(file, "rope_freqs")
    if factors is None:
        return found
    if len(found) != len(factors):
        raise damaged(file.paths[0], f"rope_freqs has {len(factors)} values, wanted are {len(found)}")
    return found / found.new_tensor(factors)
