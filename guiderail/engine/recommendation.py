"""Recommends a published model for this machine by what each one costs here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guiderail.cache.live import CHUNK
from guiderail.cache.selection import Effort
from guiderail.model import memory
from guiderail.model.catalogue import Published, published
from guiderail.model.estimate import Cost, cost
from guiderail.model.load import placement
from guiderail.model.machine import Machine

PROMPT = 2048  # tokens, the default of the setting
TYPED = 8  # tokens of an edit
_EFFORT = Effort()
# Tokens that one edit has computed again: what a patch takes at most.
PATCHED = TYPED + _EFFORT.halo + _EFFORT.near + _EFFORT.tail + _EFFORT.uses

# The rule: the largest model whose licence allows all uses, that fits, that runs through guiderail's own forward pass
# (others are slower than their estimate), and that makes nobody wait for longer than this.
MOST_EDIT_S = 1.5
LEAST_TOKENS_PER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A published model on this machine.

    Parameters
    ----------
    model
        What it is.
    device, dtype
        Where and how it would run.
    memory_bytes
        That loading it asks for.
    fits
        Whether as much is free.
    cost
        What to expect.
    command
        What takes it.
    best
        Whether it is the one to take.
    """

    model: Published
    device: str
    dtype: str
    memory_bytes: int
    fits: bool
    cost: Cost
    command: str
    best: bool = False

    @property
    def is_quick(self) -> bool:
        """Whether a suggestion takes no longer than the rule allows."""
        return self.cost.edit_s <= MOST_EDIT_S and self.cost.tokens_per_s >= LEAST_TOKENS_PER_S

    @property
    def may_be_best(self) -> bool:
        """Whether the rule allows it."""
        own = self.device != "cpu" or self.model.is_native
        return self.model.free and own and self.fits and self.is_quick


def recommend(machine: Machine, models: Sequence[Published] | None = None) -> list[Row]:
    """All models on a machine, the best one marked if there is one.

    Parameters
    ----------
    machine
        What was measured.
    models
        By default all published ones.
    """
    free = memory.available(machine.device)
    rows = [_row(model, machine, free) for model in (published() if models is None else models)]
    able = [row for row in rows if row.may_be_best]
    largest = max(able, key=lambda row: row.model.parameters, default=None)
    return [replace(row, best=row is largest) for row in rows]


def _row(model: Published, machine: Machine, free: int | None) -> Row:
    """In the usual precision if that fits and is quick, else in the quickest that fits, else in the smallest."""
    usual = placement(machine.device, "auto", model.parameters)[1]
    rows = [_in_precision(model, machine, dtype, free, usual) for dtype in machine.rates]
    fitting = [row for row in rows if row.fits]
    if not fitting:
        return min(rows, key=lambda row: row.memory_bytes)
    good = [row for row in fitting if row.dtype == usual and row.is_quick]
    return good[0] if good else min(fitting, key=lambda row: row.cost.edit_s)


def _in_precision(model: Published, machine: Machine, dtype: str, free: int | None, usual: str) -> Row:
    needed = memory.needed_on(machine.device, model.decoder.info(model.name), dtype)
    return Row(
        model=model,
        device=machine.device,
        dtype=dtype,
        memory_bytes=needed,
        fits=free is None or needed <= free,
        cost=cost(
            model.decoder,
            machine.rates[dtype],
            prompt=PROMPT,
            edited=PATCHED,
            chunk=CHUNK,
        ),
        command=_command(model, dtype, usual),
    )


def _command(model: Published, dtype: str, usual: str) -> str:
    words = ["guiderail models pull", model.hub]
    words += ["--file", model.file] if model.file else []
    words += ["--use"] + (["--dtype", dtype] if dtype != usual else [])
    return " ".join(words)
