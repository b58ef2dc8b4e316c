"""Muon for the matrices, AdamW for the rest, on fp32 masters of possibly bf16 weights.

Muon replaces a matrix's momentum by its nearest orthogonal matrix (Jordan et al., "Muon: an optimizer for
hidden layers in neural networks", 2024; Liu et al., "Muon is scalable for LLM training", 2025).  A short run on
little data profits from it more than from anything else here.  Masters are kept because a bf16 weight loses
updates smaller than about half a per cent of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class OptimShape:
    """Learning rates at the peak of the schedule and the constants of both rules."""

    muon_lr: float = 0.02
    adam_lr: float = 0.003
    momentum: float = 0.95
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.01
    clip: float = 1.0


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def muon_ahead(momentum: Tensor, gradient: Tensor, scale: Tensor, beta: float) -> Tensor:
    """Update the momentum in place; returns Nesterov's look-ahead, still in the gradient's type."""
    wide = gradient.float() * scale
    momentum.lerp_(wide, 1 - beta)
    return wide.lerp(momentum, beta).to(gradient.dtype)


def muon_apply(master: Tensor, weight: Tensor, update: Tensor, rate: Tensor, keep: Tensor) -> None:
    """Decay the master, take the step and round it into the weight."""
    master.mul_(keep).sub_(update.float() * rate)
    weight.copy_(master)


def adam_apply(
    master: Tensor,
    weight: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    scale: Tensor,
    rate: Tensor,
    keep: tuple[Tensor, Tensor],
    correction: tuple[Tensor, Tensor],
) -> None:
    """AdamW without decay (Kingma and Ba, 2015), in place."""
    wide = gradient.float() * scale
    first.lerp_(wide, 1 - keep[0])
    second.lerp_(wide * wide, 1 - keep[1])
    spread = (second / correction[1]).sqrt() + 1e-8
    master.sub_(rate * (first / correction[0]) / spread)
    weight.copy_(master)


class MasterOptimizer:
    """Both rules over one model; `step` takes the schedule's factor."""

    def __init__(self, model: nn.Module, shape: OptimShape, *, compiled: bool = False) -> None:
        self.shape = shape
        self.parameters = dict(model.named_parameters())
        self.device = next(iter(self.parameters.values())).device
        self.masters = {name: p.detach().float().clone() for name, p in self.parameters.items()}
        self.momentum = {name: torch.zeros_like(m) for name, m in self.masters.items()}
        self.square = {name: torch.zeros_like(m) for name, m in self.masters.items() if not _is_matrix(name, m)}
        self.steps = 0
        self._ahead, self._apply, self._adam_apply = muon_ahead, muon_apply, adam_apply
        if compiled:
            self._ahead = torch.compile(muon_ahead, dynamic=True)
            self._apply = torch.compile(muon_apply, dynamic=True)
            self._adam_apply = torch.compile(adam_apply, dynamic=True)

    @torch.no_grad()
    def step(self, factor: float) -> Tensor:
        """One update of masters and weights; returns the norm the gradient had."""
        gradients = {name: p.grad for name, p in self.parameters.items() if p.grad is not None}
        norms = [torch.linalg.vector_norm(gradient, dtype=torch.float32) for gradient in gradients.values()]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        scale = (self.shape.clip / (norm + 1e-6)).clamp(max=1.0)
        self.steps += 1
        for name, gradient in gradients.items():
            rule = self._adam if name in self.square else self._muon
            rule(name, self.parameters[name].detach(), gradient, scale, factor)
            self.parameters[name].grad = None
        return norm

    def _muon(self, name: str, weight: Tensor, gradient: Tensor, scale: Tensor, factor: float) -> None:
        shape, master = self.shape, self.masters[name]
        update = orthogonalise(self._ahead(self.momentum[name], gradient, scale, shape.momentum))
        rate = shape.muon_lr * factor
        stretch = max(1.0, master.shape[0] / master.shape[1]) ** 0.5
        step, keep = self._number(rate * stretch), self._number(1 - rate * shape.weight_decay)
        self._apply(master, weight, update.contiguous(), step, keep)

    def _adam(self, name: str, weight: Tensor, gradient: Tensor, scale: Tensor, factor: float) -> None:
        shape = self.shape
        betas = shape.beta1, shape.beta2
        keep = self._number(betas[0]), self._number(betas[1])
        correction = self._number(1 - betas[0] ** self.steps), self._number(1 - betas[1] ** self.steps)
        self._adam_apply(
            self.masters[name],
            weight,
            gradient,
            self.momentum[name],
            self.square[name],
            scale,
            self._number(shape.adam_lr * factor),
            keep,
            correction,
        )

    def _number(self, value: float) -> Tensor:
        """A scalar on the device, made there: a number passed as such would compile a new kernel each step."""
        return torch.full((), value, device=self.device)

    def state(self) -> dict[str, Any]:
        """Masters and moments."""
        return {"masters": self.masters, "momentum": self.momentum, "square": self.square, "steps": self.steps}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Take a state back, weights included."""
        for mine, theirs in (
            (self.masters, state["masters"]),
            (self.momentum, state["momentum"]),
            (self.square, state["square"]),
        ):
            for name, tensor in mine.items():
                tensor.copy_(theirs[name])
        for name, parameter in self.parameters.items():
            parameter.copy_(self.masters[name])
        self.steps = state["steps"]


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim == 2 and "embed" not in name
