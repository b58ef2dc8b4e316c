"""Keys and values that follow a sequence of tokens while it is being edited."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from guiderail.cache.deviation import deviations
from guiderail.cache.diff import Block
from guiderail.cache.ledger import Ledger
from guiderail.cache.parked import Parked
from guiderail.cache.plan import CHUNK, Plan, Planner
from guiderail.cache.policy import Costs, Policy
from guiderail.cache.report import FitReport
from guiderail.cache.rotation import Refusal, Rotation
from guiderail.cache.runner import Runner
from guiderail.cache.selection import Effort

if TYPE_CHECKING:
    from guiderail.cache.buffers import KeyValueBuffers
    from guiderail.cache.tree import TokenTree
    from guiderail.model.model import Model

# Tokens healed at a time: a key stroke waits no longer than one of these.
HEAL_CHUNK = 128

Cancelled = Callable[[], bool]


def never() -> bool:
    """The default for `cancelled`: never."""
    return False


class LiveCache:
    """The tokens of one sequence with their keys and values.

    Slot i of the buffers holds token i at position i, always; an edit moves what comes after it. What is after
    `length` is garbage that the next tokens overwrite, so going back costs nothing.

    Parameters
    ----------
    model
        The model to run.
    policy
        "exact": what is not exact is run again. "patch": an edit runs what `effort` says and keeps the rest.
        "auto": the one or the other, by `policy.choose`.
    effort
        How much a patch runs.
    costs
        What encoding takes; measured at the first choice by default.
    rotation
        What rotates the model's keys; found out by the self-test by default.
    """

    def __init__(
        self,
        model: Model,
        *,
        policy: Policy = "exact",
        effort: Effort | None = None,
        costs: Costs | None = None,
        rotation: Rotation | Refusal | None = None,
    ) -> None:
        self.model = model
        self._planner = Planner(model, policy, effort or Effort(), costs, rotation)
        self._runner = Runner(model)
        self._scaling: int | None = None  # of RoPE whose frequencies depend on the length
        self._ledger = self._new_ledger()
        self._tree: TokenTree | None = None  # comes after the sequence, in the slots from `length` on
        self._fed = 0  # nodes of it that were run
        self._layers: int | None = None  # that were run of it, if not all
        self._is_blended = False  # whether a node of it means something else than its token

    @property
    def policy(self) -> Policy:
        """How the cache follows an edit."""
        return self._planner.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._planner.policy = policy

    @property
    def buffers(self) -> KeyValueBuffers:
        """The keys and values."""
        return self._runner.buffers

    @property
    def ids(self) -> list[int]:
        """The sequence."""
        return self._ledger.ids

    @property
    def checkpoints(self) -> list[int]:
        """After how many tokens a state of the recurrent layers is kept; of a model without any, none."""
        return self._runner.checkpoints.lengths if self._runner.checkpoints else []

    @property
    def length(self) -> int:
        """Tokens in the sequence."""
        return len(self._ledger)

    @property
    def exact_upto(self) -> int:
        """The frontier: all tokens before it are exact."""
        return self._ledger.exact_upto

    @property
    def is_exact(self) -> bool:
        """Whether the cache equals a full encoding of its sequence."""
        return self.exact_upto == self.length

    def is_exact_at(self, index: int) -> bool:
        """Whether this token's keys and values are those of a full encoding."""
        return self._ledger.is_exact(index)

    @property
    def missing(self) -> list[int]:
        """The tokens without keys and values, which a cancelled patch leaves; the next call encodes them."""
        return self._ledger.missing()

    def rollback(self, tokens: int) -> None:
        """Forget the last `tokens` tokens."""
        if not 0 <= tokens <= self.length:
            raise ValueError(f"cannot forget {tokens} of {self.length} tokens")
        self._tree = None
        self._ledger.truncate(self.length - tokens)

    def clear(self) -> None:
        """Forget everything."""
        self._tree = None
        self._ledger = self._new_ledger()
        self._runner.resume(0)
        self._scaling = None

    def copy(
        self, *, policy: Policy | None = None, effort: Effort | None = None, rotation: Rotation | None = None
    ) -> LiveCache:
        """A cache in the same state, with buffers of its own; what is not given is as in this one."""
        own = self._planner
        other = LiveCache(
            self.model,
            policy=policy or own.policy,
            effort=effort or own.effort,
            costs=own.costs,
            rotation=rotation or own.rotation,
        )
        other.unpark(self.park())
        return other

    def park(self) -> Parked:
        """A copy of the sequence with its keys and values, for `unpark` of this cache or of another of the model."""
        stored = [self.buffers.read(layer, self.length) for layer in range(self.model.layers)]
        ledger = self._ledger.spliced(self.ids, [Block(0, 0, self.length)])
        self._runner.resume(self.length)
        states = self._runner.checkpoints.copy() if self._runner.checkpoints else None
        return Parked(ledger, [k.clone() for k, _ in stored], [v.clone() for _, v in stored], self._scaling, states)

    def unpark(self, parked: Parked, tokens: int | None = None) -> None:
        """Become the parked sequence, or its first `tokens` tokens; what is in the cache is forgotten."""
        self.clear()
        ledger = parked.ledger
        length = len(ledger) if tokens is None else tokens
        self._runner.reserve(length)
        for layer, (keys, values) in enumerate(zip(parked.keys, parked.values, strict=True)):
            self.buffers.write(layer, slice(0, length), keys[:, :length], values[:, :length])
        self._ledger, self._scaling = ledger.spliced(ledger.ids, [Block(0, 0, len(ledger))]), parked.scaling
        self._ledger.truncate(length)
        if parked.states is not None:
            self._runner.checkpoints = parked.states.copy(self.model.device)
            self._runner.resume(length)

    @property
    def nbytes(self) -> int:
        """Bytes that the cache takes: keys and values, the spare slots, and what is known of each token."""
        return self._runner.nbytes + self._ledger.nbytes

    def feed(self, ids: Sequence[int], *, cancelled: Cancelled = never) -> torch.Tensor | None:
        """Encode `ids` after the sequence; return the logits after the last, float32 [vocabulary].

        None if `cancelled` became true between two chunks; the chunks that were run stay.
        """
        if not ids:
            raise ValueError("there must be at least one token to feed")
        if missing := self.missing:  # a cancelled patch left them; nothing may read them
            self._encode_all(missing, never)
        ids = [*self._to_run_again(), *ids]
        scaling = self._planner.scaling_of(self.length + len(ids))
        if not self.length:
            self._scaling = scaling
            if scaling is not None:
                self.model.reset_frequencies()
        exact = scaling == self._scaling
        chunk = CHUNK if scaling is None else max(CHUNK, len(ids))  # one pass has one set of frequencies
        logits, first = None, self.length
        for end in self._runner.ends([*self.ids, *ids], first, chunk):
            if logits is not None and cancelled():
                return None
            before = self.length
            self._ledger.extend(ids[before - first : end - first])
            try:
                logits = self._encode(range(before, self.length), exact=exact)
            except BaseException:
                self._ledger.truncate(before)
                raise
        return logits

    def read(self, ids: Sequence[int]) -> torch.Tensor:
        """Scores after each of `ids` as if they were fed, float32 [len(ids), vocabulary]; nothing is kept."""
        self._tree = None
        self._catch_up()
        return self._runner.score(ids, self.length)

    def feed_tree(
        self, tree: TokenTree, embeddings: torch.Tensor | None = None, layers: int | None = None
    ) -> torch.Tensor:
        """Run a tree after the sequence in one pass; the logits of each node, float32 [nodes, vocabulary].

        A node sees the sequence and its own path: its logits are those after the sequence and the path. The sequence
        is shared, and stays as it is until `keep`. A tree that has grown since its last run is run from there on, and
        only the new nodes' logits come; whatever else is done with the cache in between makes it a new tree.

        With `embeddings` ([new nodes, hidden]) the new nodes are these and not their tokens. With `layers` so many of
        the model's first layers are run alone, and the logits are those after them. Such trees cannot be kept.
        """
        if not self.length:
            raise ValueError("a tree needs a token before it")
        if missing := self.missing:
            self._encode_all(missing, never)
        self._catch_up()
        if tree is not self._tree or layers != self._layers:
            self._tree, self._layers, self._fed = tree, layers, 0
        done = self._fed
        if done == len(tree):
            raise ValueError("the tree has no node that was not run")
        self._fed = len(tree)
        self._is_blended = embeddings is not None or (self._is_blended and bool(done))
        return self._runner.encode_tree(tree, self.length, done, embeddings, layers)

    def keep(self, path: Sequence[int]) -> None:
        """Append these nodes of the tree that was run last, from the root on, with the keys and values they have.

        The rest of the tree is forgotten; an empty path forgets all of it.
        """
        tree, self._tree = self._tree, None
        if not path:
            return
        is_guess = self._is_blended or self._layers is not None
        if tree is None or is_guess or max(path) >= self._fed or list(path) != tree.path(path[-1]):
            raise ValueError("only a path of a tree that was run can be kept")
        base = self.length
        self._runner.keep(tree, path, base)
        self._ledger.extend([tree.tokens[node] for node in path])
        exact = self._planner.scaling_of(self.length) == self._scaling
        self._ledger.written(range(base, self.length), exact=exact)

    def fit(self, ids: Sequence[int], *, cancelled: Cancelled = never) -> FitReport:
        """Make the sequence equal `ids` with the least work; at least the last token is run, for its logits.

        Once `cancelled` is true between two chunks the report has no logits. What was run stays, and the cache knows
        what is missing, so that the next call is right whatever it asks for.
        """
        if not ids:
            raise ValueError("there must be at least one token to fit")
        began = time.perf_counter()
        if self._scaling != self._planner.scaling_of(len(ids)):
            self.clear()
        plan = self._planner.plan(self._ledger, list(ids))
        planned = moved = time.perf_counter()
        rotated, run = 0, plan.run
        if plan.appends:
            run = list(range(self._runner.resume(run[0]), len(ids)))
            self._ledger.truncate(run[0])
            logits = self.feed(ids[run[0] :], cancelled=cancelled)
        else:
            rotated, run = self._splice(plan)
            moved = time.perf_counter()
            logits = self._encode_all(run, cancelled)
        return FitReport(
            length=len(ids),
            kept=len(ids) - len(run),
            encoded=len(run),
            rotated=rotated,
            stale=len(self._ledger.inexact()),
            policy="patch" if plan.choice.patch else "exact",
            reason=plan.choice.reason,
            seconds={"diff": planned - began, "move": moved - planned, "encode": time.perf_counter() - moved},
            logits=logits,
        )

    def heal(self, budget: int | None = None, *, cancelled: Cancelled = never) -> int:
        """Run tokens that are not exact again, in order, until none is left or `budget` tokens were run.

        `cancelled` is asked before every chunk. Returns the tokens that were run.
        """
        wanted = self._ledger.inexact()[: None if budget is None else max(budget, 0)]
        done = 0
        for start in range(0, len(wanted), HEAL_CHUNK):
            if cancelled():
                break
            chunk = wanted[start : start + HEAL_CHUNK]
            self._encode(chunk)
            done += len(chunk)
        return done

    def prove(self) -> None:
        """Find out now, and not when a prompt is edited for the first time, whether the model's keys can be rotated."""
        self._planner.refusal(self.length)

    def _to_run_again(self) -> list[int]:
        """Forget the tokens after the last state of the recurrent layers, and return them."""
        again = self.ids[self._runner.resume(self.length) :]
        self._ledger.truncate(self.length - len(again))
        return again

    def _catch_up(self) -> None:
        """Have recurrent layers stand after the sequence, and not at a checkpoint before."""
        if again := self._to_run_again():
            self.feed(again)

    def _new_ledger(self) -> Ledger:
        return Ledger(rotated_is_exact=self.model.dtype in {torch.float32, torch.float64})

    def _splice(self, plan: Plan) -> tuple[int, list[int]]:
        """Move what is kept to its new places; how many keys were rotated, and what is to be run."""
        moves = plan.moves()
        self._runner.reserve(len(plan.ledger))
        self._ledger = self._new_ledger()  # should moving fail half-way, nothing is believed
        if moves:
            rotation = self._planner.rotation
            assert isinstance(rotation, Rotation), "blocks are moved only if they may be"
            self._runner.move(moves, rotation.by)
        run = plan.run
        if plan.choice.patch and self._planner.effort.deviating:
            run = self._with_deviating(plan)
        plan.ledger.lose(run)
        self._ledger = plan.ledger
        return len(moves), run

    def _with_deviating(self, plan: Plan) -> list[int]:
        """The tokens to run, and the stale ones whose values deviate most after the first layer."""
        stale = set(plan.ledger.inexact()) - set(plan.run)
        both = sorted(stale | set(plan.run))
        scores = deviations(self.model, self.buffers, [plan.ledger.ids[i] for i in both], both, CHUNK)
        ranked = sorted((-score, i) for score, i in zip(scores, both, strict=True) if i in stale)
        return sorted([*plan.run, *(i for _, i in ranked[: self._planner.effort.deviating])])

    def _encode_all(self, indices: Sequence[int], cancelled: Cancelled) -> torch.Tensor | None:
        logits = None
        for start in range(0, len(indices), CHUNK):
            if start and cancelled():
                return None
            logits = self._encode(indices[start : start + CHUNK])
        return logits

    def _encode(self, indices: Sequence[int], *, exact: bool = True) -> torch.Tensor:
        """Run the tokens at `indices` (in order), each seeing what comes before it; logits of the last [vocabulary].

        While they run they count as missing: what a failure leaves in the buffers is not believed.
        """
        self._tree = None
        self._ledger.lose(indices)
        logits = self._runner.encode([self.ids[i] for i in indices], indices)
        self._ledger.written(indices, exact=exact)
        return logits
