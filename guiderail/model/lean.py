"""A lean forward pass for Llama-shaped models on a CPU, standing beside transformers' own modules.

A small model's decode step is dominated by the overhead of Python modules, not by arithmetic. This is the same
computation with the fewest tensor operations: one matrix for query, key and value, one for gate and up, positions
looked up in a table. It takes over the module's own weights (no weight is kept twice, but for a tied embedding that is
packed) and is tested equal to the module. Architectures that it does not know take the module's path.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import embedding, rms_norm, silu

from guiderail.model.attention import Step, attend
from guiderail.model.fused import Layer, fuse, give_back_layer, read_layer, unfuse
from guiderail.model.matrix import Layout, Matrix, Plain

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


class LeanForward:
    """The forward pass of one Llama-shaped model.

    Parameters
    ----------
    module
        A transformers causal language model for which `supports` holds.
    layout
        How its matrices lie in memory; unless they are plain, the module cannot run by itself afterwards.
    """

    def __init__(self, module: Any, layout: Layout = Plain) -> None:
        config = module.config
        self.eps: float = config.rms_norm_eps
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.head_dim: int = module.model.layers[0].self_attn.head_dim
        self.unembedding, self.embedding = _ends(module, layout)
        self.final_norm: torch.Tensor = module.model.norm.weight.data
        self.layers = [read_layer(layer, self.heads, self.kv_heads, layout) for layer in module.model.layers]
        self.rotary = module.model.rotary_emb
        self._cos, self._sin = self._table(config.max_position_embeddings)
        self._factors = self._head_factors()

    def give_back(self, module: Any) -> None:
        """Give a copy of the module that this was made of weights of its own, laid out as transformers does."""
        for layer, own in zip(self.layers, module.model.layers, strict=True):
            give_back_layer(layer, own)
        unfuse(self.unembedding, module.get_output_embeddings())  # a tied table is the same parameter

    def _table(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """cos and signed sin of every position, [length, head_dim], from the model's own rotary module."""
        positions = torch.arange(length, device=self.embedding.device)[None]
        cos, sin = self.rotary(self.embedding[:1, None].to(self.final_norm.dtype), positions)
        half = sin.shape[-1] // 2
        return cos[0], torch.cat((-sin[0, :, :half], sin[0, :, half:]), -1)

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

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool) -> torch.Tensor:
        """Logits [1 or q, vocabulary] of `ids` (int64 [q], or embeddings [q, hidden]) at `positions` (int64 [q])."""
        cos, sin = self._cos[positions], self._sin[positions]
        x = ids if ids.is_floating_point() else embedding(ids, self.embedding).to(self.final_norm.dtype)
        if len(x) == 1 and x.dtype == torch.float32:
            return self._row(x, cos, sin, step)
        for index, layer in enumerate(self.layers):
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
        return layer.down.onto(x, silu(gate) * up)

    def _row(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, step: Step) -> torch.Tensor:
        """The same for a single row, [1, hidden] in float32, where an operation costs more than its arithmetic.

        Packed matrices are given it as often as they want rows, which is hardly dearer; only attention takes it once.
        """
        all_cos, all_sin = self._factors[0] * cos, self._factors[1] * sin
        x = x.expand(self.unembedding.rows, -1)  # all matrices want as many
        for index, layer in enumerate(self.layers):
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
        x = layer.out.onto(x, torch.bmm(scores.softmax(-1), values).view(1, -1).expand(len(x), -1))
        if layer.out_bias is not None:
            x += layer.out_bias
        gate, up = layer.gate_up(self._normed(x, layer.post_norm)).chunk(2, -1)
        return layer.down.onto(x, silu(gate).mul_(up))

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """RMSNorm of a single row, in three operations for the six of torch's own."""
        row = x[0]
        return (x * weight).mul_((float(row.dot(row)) / len(row) + self.eps) ** -0.5)


def _ends(module: Any, layout: Layout) -> tuple[Matrix, torch.Tensor]:
    """The unembedding, and the embedding's table [vocabulary, hidden].

    Of a tied table whose unembedding is not plain, a copy is made: rows cannot be read out of it.
    """
    output, table = module.get_output_embeddings(), module.get_input_embeddings().weight
    if layout is not Plain and output.weight is table:
        return layout(table.data), table.data
    unembedding = fuse(output, layout=layout)
    return unembedding, table.data  # after that: they may be tied
