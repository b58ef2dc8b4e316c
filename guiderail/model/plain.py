"""transformers' own module of a Llama-shaped model, for callers that need one; guiderail does not run it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from guiderail.model.attention import register

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def build(
    config: Mapping[str, Any], state: Mapping[str, torch.Tensor], frequencies: torch.Tensor, dtype: torch.dtype
) -> PreTrainedModel:
    """The module with the weights `state`, which are copied, and these rotary frequencies."""
    module = empty(config, dtype, register())
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(state[name])
        for name, buffer in module.named_buffers():
            if name.endswith("inv_freq"):
                buffer.copy_(frequencies)
    return module.eval()


def empty(values: Mapping[str, Any], dtype: torch.dtype, attention: str, device: str = "cpu") -> PreTrainedModel:
    """The module without weights: parameters have memory of unknown content, buffers are right."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    config = AutoConfig.for_model(**values)
    with no_init_weights(), torch.device(device) if device != "cpu" else nullcontext():
        module = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    module.tie_weights()
    return module
