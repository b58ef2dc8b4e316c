"""Laws of both update rules and of the masters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.optim import MasterOptimizer, OptimShape, orthogonalise


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_muon_steps_are_nearly_orthogonal(shape: tuple[int, int]):
    """All singular values of an orthogonalised matrix are near one."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.all((torch.linalg.svdvals(orthogonalise(matrix)) - 1).abs() < 0.35)


def test_orthogonalising_keeps_the_directions():
    """The result has the singular vectors of the matrix: with it, it gives a symmetric positive matrix."""
    matrix = torch.randn(12, 20, generator=torch.Generator().manual_seed(1))
    product = orthogonalise(matrix) @ matrix.T
    assert (product - product.T).abs().max() < 1e-3 * product.abs().max()
    assert torch.linalg.eigvalsh((product + product.T) / 2).min() > 0


class Tiny(nn.Module):
    """One matrix, one embedding, one norm."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(32, 8, dtype=dtype)
        self.matrix = nn.Linear(8, 16, bias=False, dtype=dtype)
        self.norm = nn.Parameter(torch.ones(16, dtype=dtype))

    def pull(self) -> None:
        """A gradient that is the same at every step."""
        loss = (self.matrix(self.embed(torch.arange(32))) * self.norm).float().sin().sum()
        loss.backward()


def test_a_matrix_moves_by_an_orthogonal_step():
    """The change of the matrix is the rate times its stretch times a nearly orthogonal matrix; the rest is AdamW."""
    model, shape = Tiny(), OptimShape(weight_decay=0.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = MasterOptimizer(model, shape)
    model.pull()
    optimizer.step(0.5)
    moved = {name: before[name] - p.detach() for name, p in model.named_parameters()}
    values = torch.linalg.svdvals(moved["matrix.weight"]) / (shape.muon_lr * 0.5 * 2**0.5)
    assert torch.all((values - 1).abs() < 0.35)
    for name in ("embed.weight", "norm"):  # AdamW's first step is the rate in every direction
        assert torch.allclose(moved[name].abs(), torch.full_like(moved[name], shape.adam_lr * 0.5), rtol=1e-3)
    assert all(p.grad is None for p in model.parameters())


def test_masters_keep_what_bf16_loses():
    """Steps too small for a bf16 weight add up in the master until the weight, its rounding, moves."""
    model = Tiny(torch.bfloat16)
    optimizer = MasterOptimizer(model, OptimShape(adam_lr=1e-4, muon_lr=1e-4))
    moved = []
    for _ in range(40):
        model.pull()
        optimizer.step(1.0)
        moved.append(bool((model.norm != 1).any()))
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, optimizer.masters[name].bfloat16())
    assert not moved[0] and moved[-1]


def test_a_gradient_is_clipped_by_its_norm():
    """A gradient a thousand times as large makes the same step, and its norm is reported."""
    ends, norms = [], []
    for factor in (1.0, 1000.0):
        model = Tiny()
        optimizer = MasterOptimizer(model, OptimShape(clip=1e-3))
        model.pull()
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.grad *= factor
        norms.append(float(optimizer.step(1.0)))
        ends.append(model.matrix.weight.detach().clone())
    assert norms[1] == pytest.approx(1000 * norms[0], rel=1e-4)
    assert torch.allclose(ends[0], ends[1], atol=1e-5)


def test_a_restored_optimizer_goes_on_alike():
    """Masters, moments and the count of steps are the whole state."""
    first, second = Tiny(), Tiny()
    mine, theirs = MasterOptimizer(first, OptimShape()), MasterOptimizer(second, OptimShape())
    for _ in range(3):
        first.pull()
        mine.step(1.0)
    theirs.restore(mine.state())
    for model, optimizer in ((first, mine), (second, theirs)):
        model.pull()
        optimizer.step(1.0)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
