"""A lean forward pass for Llama-shaped models on a CPU, standing beside transformers' own modules.

A small model's decode step is dominated by the overhead of Python modules, not by arithmetic. This is the same
computation with the fewest tensor operations: one matrix for query, key and value, one for gate and up, positions
looked up in a table. It reads the module's own weights (fused in place, not copied twice) and is tested equal to the
module. Architectures that it does not know take the module's path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import embedding, linear, rms_norm

from guiderail.model.attention import Step, attend

# Architectures whose decoder is: RMSNorm, attention with half-split RoPE, RMSNorm, gated SiLU; nothing else.
ARCHITECTURES = frozenset({"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "MistralForCausalLM"})
# RoPE types whose frequencies do not depend on the length seen, so that one table serves every call.
STATIC_ROPE = frozenset({"default", "linear", "llama3", "yarn"})


def supports(module: Any) -> bool:
    """Whether `LeanForward` computes what `module` (a transformers causal language model) computes."""
    config = module.config
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        type(module).__name__ in ARCHITECTURES
        and rope.get("rope_type", "default") in STATIC_ROPE
        and rope.get("partial_rotary_factor", 1.0) == 1.0
        and config.hidden_act == "silu"
        and not getattr(config, "mlp_bias", False)
    )


@dataclass(slots=True)
class _Layer:
    input_norm: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    head_norm: torch.Tensor | None  # [query + kv heads, 1, head_dim]: QK-norm's weights, one row a head
    out: torch.Tensor
    out_bias: torch.Tensor | None
    post_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor
    scale: float
    window: int | None


def _fuse(*modules: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Stack the modules' weights into one matrix that they then share, so that no weight is kept twice."""
    weight = torch.cat([m.weight.data for m in modules])
    for m, part in zip(modules, weight.split([m.weight.shape[0] for m in modules]), strict=True):
        m.weight.data = part
    has_bias = modules[0].bias is not None
    return weight, torch.cat([m.bias.data for m in modules]) if has_bias else None


class LeanForward:
    """The forward pass of one Llama-shaped model.

    Parameters
    ----------
    module
        A transformers causal language model for which `supports` holds.
    """

    def __init__(self, module: Any) -> None:
        config = module.config
        self.eps: float = config.rms_norm_eps
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.embedding: torch.Tensor = module.get_input_embeddings().weight.data
        self.unembedding: torch.Tensor = module.get_output_embeddings().weight.data
        self.final_norm: torch.Tensor = module.model.norm.weight.data
        self.layers = [self._read(layer) for layer in module.model.layers]
        self.head_dim: int = module.model.layers[0].self_attn.head_dim
        self.rotary = module.model.rotary_emb
        self._cos, self._sin = self._table(config.max_position_embeddings)

    def _read(self, layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        qkv, qkv_bias = _fuse(attention.q_proj, attention.k_proj, attention.v_proj)
        gate_up, _ = _fuse(mlp.gate_proj, mlp.up_proj)
        norm = None
        if hasattr(attention, "q_norm"):
            rows = [attention.q_norm.weight.data] * self.heads + [attention.k_norm.weight.data] * self.kv_heads
            norm = torch.stack(rows)[:, None]
        return _Layer(
            input_norm=layer.input_layernorm.weight.data,
            qkv=qkv,
            qkv_bias=qkv_bias,
            head_norm=norm,
            out=attention.o_proj.weight.data,
            out_bias=attention.o_proj.bias.data if attention.o_proj.bias is not None else None,
            post_norm=layer.post_attention_layernorm.weight.data,
            gate_up=gate_up,
            down=mlp.down_proj.weight.data,
            scale=attention.scaling,
            window=_window(attention),
        )

    def _table(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and signed sin of every position, [length, head_dim], from the model's own rotary module."""
        positions = torch.arange(length, device=self.embedding.device)[None]
        cos, sin = self.rotary(self.embedding[:1, None], positions)
        half = sin.shape[-1] // 2
        return cos[0], torch.cat((-sin[0, :, :half], sin[0, :, half:]), -1)

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool) -> torch.Tensor:
        """Logits [1 or q, vocabulary] of `ids` (int64 [q], or embeddings [q, hidden]) at `positions` (int64 [q])."""
        cos, sin = self._cos[positions], self._sin[positions]
        x = ids if ids.is_floating_point() else embedding(ids, self.embedding)
        for index, layer in enumerate(self.layers):
            x = self._block(x, index, layer, cos, sin, step)
        if last:
            x = x[-1:]
        return linear(rms_norm(x, x.shape[-1:], self.final_norm, self.eps), self.unembedding)

    def _block(self, x: torch.Tensor, index: int, layer: _Layer, cos, sin, step: Step) -> torch.Tensor:
        width, hidden = x.shape
        rotated = self.heads + self.kv_heads
        qkv = linear(rms_norm(x, (hidden,), layer.input_norm, self.eps), layer.qkv, layer.qkv_bias)
        qkv = qkv.view(width, rotated + self.kv_heads, self.head_dim).transpose(0, 1)
        qk, value = qkv[:rotated], qkv[rotated:]
        if layer.head_norm is not None:
            qk = rms_norm(qk, (self.head_dim,), None, self.eps) * layer.head_norm
        # rotate_half(x) * sin, written as a roll by half a head and a sin that carries the sign
        qk = torch.addcmul(qk * cos, qk.roll(self.head_dim // 2, -1), sin)
        step.store.write(index, step.slots, qk[self.heads :], value)
        keys, values = step.store.read(index, step.length)
        out = attend(qk[: self.heads], keys, values, step.mask_for(layer.window), layer.scale)
        x = x + linear(out.transpose(0, 1).reshape(width, -1), layer.out, layer.out_bias)
        gate, up = linear(rms_norm(x, (hidden,), layer.post_norm, self.eps), layer.gate_up).chunk(2, -1)
        return x + linear(torch.nn.functional.silu(gate) * up, layer.down)


def _window(attention: Any) -> int | None:
    """The sliding window of an attention module, read where its architecture keeps it."""
    if hasattr(attention, "sliding_window"):
        return attention.sliding_window
    return getattr(attention.config, "sliding_window", None) if "Mistral" in type(attention).__name__ else None
