"""Plans how an encoded sequence becomes another one: what to keep and what to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guiderail.cache import policy as policies
from guiderail.cache.diff import Block, common_prefix, diff
from guiderail.cache.policy import Choice, Costs, Policy
from guiderail.cache.rotation import Refusal, Rotation, length_limit, rotation_of
from guiderail.cache.selection import Effort, changed_roles, chosen

if TYPE_CHECKING:
    from guiderail.cache.ledger import Ledger
    from guiderail.model.model import Model

# Tokens encoded at a time: bounds the memory of masks and scores, and how long a cancel waits.
CHUNK = 512
KEEPS_ALL = "nothing that is not exact would be kept"


@dataclass(frozen=True, slots=True)
class Plan:
    """How one sequence becomes another.

    Parameters
    ----------
    run
        The tokens to run, in order.
    blocks
        What of the old sequence stays, at its old or at a new place.
    ledger
        The new sequence's, once the blocks are moved.
    choice
        Whether stale tokens are kept, and why.
    """

    run: list[int]
    blocks: list[Block]
    ledger: Ledger
    choice: Choice

    @property
    def appends(self) -> bool:
        """Whether all that is run follows, without a gap, on a beginning that stays where it is."""
        head = self.blocks[0].length if self.blocks and not self.blocks[0].new and not self.blocks[0].old else 0
        return self.run[0] <= head and self.run[-1] - self.run[0] + 1 == len(self.run)

    def moves(self) -> list[tuple[int, int]]:
        """From which slot to which the tokens go that are kept at another place."""
        wanted = set(self.run)
        return [
            (block.old + i, block.new + i)
            for block in self.blocks
            if block.shift
            for i in range(block.length)
            if block.new + i not in wanted
        ]


class Planner:
    """Decides by the token ids alone what to keep and what to run; it changes nothing.

    Parameters
    ----------
    model
        Whose costs are measured at the first choice, and whose rotation is tested before the first move.
    policy, effort, costs, rotation
        See `LiveCache`.
    """

    def __init__(
        self, model: Model, policy: Policy, effort: Effort, costs: Costs | None, rotation: Rotation | Refusal | None
    ) -> None:
        self.policy: Policy = policy
        self.effort = effort
        self.costs = costs
        self.rotation = rotation
        self._model = model
        self._limit = length_limit(model)
        self._token_bytes = model.tokenizer.token_bytes if model.tokenizer else None

    def scaling_of(self, length: int) -> int | None:
        """Which scaled frequencies of RoPE a sequence of `length` has; None for the unscaled ones (`rotation`)."""
        if self._limit is None or length <= self._limit[1]:
            return None
        return length if self._limit[0] == "dynamic" else 0

    def plan(self, ledger: Ledger, ids: list[int]) -> Plan:
        """What to keep and what to run so that the sequence of `ledger` becomes `ids`.

        At least the last token is run, for its logits. The exact way runs all that would not be exact.
        """
        old = ledger.comparable()
        refusal = self.refusal(len(ids), proves=bool(old))
        blocks = [Block(0, 0, common_prefix(old, ids))] if refusal else diff(old, ids)
        after = ledger.spliced(ids, blocks)
        last = len(ids) - 1
        inexact = [*(i for i in after.inexact() if i != last), last]
        if refusal:
            return Plan(inexact, blocks, after, Choice(False, refusal))
        if len(after.missing()) >= len(inexact) - 1:  # as when typing appends: there is nothing to choose
            return Plan(inexact, blocks, after, Choice(False, KEEPS_ALL))
        picked = chosen(old, ids, blocks, self.effort, self._token_bytes)
        run = [i for i in sorted(picked) if i == last or not after.is_exact(i)]
        choice = self._choice(run, inexact, after, lambda: self._roles(old, ids, blocks))
        return Plan(run if choice.patch else inexact, blocks, after, choice)

    def refusal(self, length: int, *, proves: bool = True) -> str | None:
        """Why nothing after a change may be kept; None if it may.

        The self-test of the rotation takes as long as some passes: a first prompt, of which there is nothing to
        rotate, does without (`proves`).
        """
        if self._limit and length > self._limit[1]:
            return f"the {self._limit[0]} frequencies of positions change after {self._limit[1]} tokens"
        if self.policy == "exact":
            return "the policy is exact"
        if self.rotation is None and proves:
            self.rotation = rotation_of(self._model)
        return self.rotation.reason if isinstance(self.rotation, Refusal) else None

    def _choice(self, run: list[int], inexact: list[int], ledger: Ledger, roles: Callable[[], int]) -> Choice:
        if len(run) >= len(inexact):
            return Choice(False, KEEPS_ALL)
        if self._model.dtype.itemsize < 4 and max(ledger.rotations) > policies.MOST_ROTATIONS:
            return Choice(False, f"some keys were rotated more than {policies.MOST_ROTATIONS} times in 16 bit")
        if self.policy == "patch":
            return Choice(True, "the policy is patch")
        if (passed := roles()) > policies.MOST_ROLES:
            return Choice(False, f"the cursor moved through {passed} tokens")
        return policies.choose(*self._seconds(len(run), len(inexact), len(ledger), inexact[0]))

    def _seconds(self, run: int, inexact: int, length: int, first: int) -> tuple[float, float]:
        """How long the exact way and a patch are predicted to take; `first` is the first inexact token."""
        if self.costs is None:
            self.costs = policies.costs_of(self._model)
        exact_s = self.costs.encoding(inexact, length, chunk=CHUNK)
        patch_s = self.costs.encoding(run + self.effort.deviating, length, chunk=CHUNK)
        if self.effort.deviating:
            patch_s += exact_s / self._model.layers
        return exact_s, patch_s + self.costs.move_s * (length - first)

    def _roles(self, old: list[int], ids: list[int], blocks: list[Block]) -> int:
        """How many tokens changed sides of the cursor."""
        return changed_roles(old, ids, blocks, self._token_bytes) if self._token_bytes else 0
