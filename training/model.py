"""A lean Qwen3 whose parameters carry the names transformers gives them.

The architecture is exactly `Qwen3ForCausalLM` (grouped-query attention with QK-norm, RoPE, SwiGLU, tied
embeddings; Yang et al., Qwen3 Technical Report, 2025), so the export loads without custom code.  It is written
again here because training wants three things the library's forward does not give: a loss computed in chunks
(the logits of a step would be the largest tensor by far), no masks or caches, and code that torch.compile
fuses in one graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORE = -100
#: Set in tokens that fill a hole, so that the loss can weigh them: they are what the model is for, and few.
MARK = 1 << 16


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a model; validated when built."""

    vocab: int
    dim: int = 384
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 1024
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    context: int = 4096

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ValueError("heads must be a multiple of kv_heads")


class RMSNorm(nn.Module):
    """Root-mean-square norm (Zhang and Sennrich, 2019), computed in fp32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * scale).to(x.dtype) * self.weight.to(x.dtype)


class Attention(nn.Module):
    """Causal grouped-query attention with QK-norm."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.q_proj = nn.Linear(shape.dim, shape.heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.dim, shape.kv_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(shape.dim, shape.kv_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_dim, shape.dim, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, shape.norm_eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        # x: (batch, time, dim); cos, sin: (time, head_dim)
        batch, time, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(batch, time, self.heads, self.head_dim)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(batch, time, self.kv_heads, self.head_dim)).transpose(1, 2)
        v = self.v_proj(x).view(batch, time, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        groups = self.heads // self.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, -1))


class MLP(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.up_proj = nn.Linear(shape.dim, shape.ffn, bias=False)
        self.down_proj = nn.Linear(shape.ffn, shape.dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One pre-norm layer."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.dim, shape.norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.dim, shape.norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, layers and final norm; named as transformers names them."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.dim)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.dim, shape.norm_eps)

    def forward(self, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)


class CompletionModel(nn.Module):
    """The model under training; the head is the embedding."""

    def __init__(self, shape: ModelShape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        self._initialise(seed)

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        """Scaled normal start; the two projections that write to the residual stream start at zero."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            std = 0.02 if "embed" in name else 1 / math.sqrt(parameter.shape[1])
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()

    def hidden(self, tokens: Tensor) -> Tensor:
        """Final hidden states, (batch, time, dim)."""
        weight = self.model.embed_tokens.weight
        cos, sin = rope_table(tokens.shape[1], self.shape, weight.device, weight.dtype)
        return self.model(tokens, cos, sin)

    def logits(self, tokens: Tensor) -> Tensor:
        """Scores of every next token, (batch, time, vocab), for tests and small use."""
        return F.linear(self.hidden(tokens), self.model.embed_tokens.weight)

    def forward(
        self, tokens: Tensor, labels: Tensor, chunk: int = 2048, hole_weight: float = 1.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over labelled positions: cross-entropy in nats, the same weighted, squared log-normalisers."""
        hidden = self.hidden(tokens).flatten(0, 1)
        flat = labels.flatten()
        weight = self.model.embed_tokens.weight
        parts = [
            chunk_loss(hidden[i : i + chunk], weight, flat[i : i + chunk], hole_weight)
            for i in range(0, len(flat), chunk)
        ]
        plain, weighted, z = (torch.stack(column).sum() for column in zip(*parts, strict=True))
        return plain, weighted, z


def chunk_loss(hidden: Tensor, weight: Tensor, labels: Tensor, hole_weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy, the same with marked labels weighted, and z-loss term of a few thousand positions, in fp32.

    The score of the right token is computed apart from the others, as a product of rows: picking it out of the
    logits would make their gradient a scatter, which no compiler fuses.
    """
    normaliser = torch.logsumexp(F.linear(hidden, weight).float(), dim=-1)
    kept = labels >= 0
    target = labels.clamp_min(0) & (MARK - 1)
    picked = (hidden.float() * F.embedding(target, weight).float()).sum(-1)
    zero = torch.zeros((), device=hidden.device)
    loss = torch.where(kept, normaliser - picked, zero)
    weighted = torch.where(labels >= MARK, loss * hole_weight, loss)
    return loss.sum(), weighted.sum(), torch.where(kept, normaliser.square(), zero).sum()


def rope_table(time: int, shape: ModelShape, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions (Su et al., RoFormer, 2021), (time, head_dim)."""
    steps = torch.arange(0, shape.head_dim, 2, device=device, dtype=torch.float32)
    frequency = shape.rope_theta ** (-steps / shape.head_dim)
    angle = torch.outer(torch.arange(time, device=device, dtype=torch.float32), frequency)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions in the half-split layout of transformers."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin
