"""Keys and values that follow a sequence of tokens while it is being edited."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from guiderail.cache import policy as policies
from guiderail.cache.buffers import CacheShape, KeyValueBuffers
from guiderail.cache.deviation import deviations
from guiderail.cache.diff import Block, common_prefix, diff
from guiderail.cache.ledger import Ledger
from guiderail.cache.policy import Choice, Costs, Policy
from guiderail.cache.rotation import Refusal, Rotation, length_limit, rotation_of
from guiderail.cache.selection import Effort, changed_roles, chosen
from guiderail.cache.tree import TokenTree
from guiderail.model.attention import Step

if TYPE_CHECKING:
    from guiderail.model.model import Model

# Tokens encoded at a time: bounds the memory of masks and scores, and how long a cancel waits.
CHUNK = 512
# Tokens healed at a time: a key stroke waits no longer than one of these.
HEAL_CHUNK = 128
KEEPS_ALL = "nothing that is not exact would be kept"

Cancelled = Callable[[], bool]
FixedStep = Callable[[torch.Tensor, int], torch.Tensor | None]


def never() -> bool:
    """The answer of whoever does not cancel."""
    return False


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a cache was made to fit a sequence.

    Parameters
    ----------
    length, kept, encoded
        Tokens of the sequence; of these, those whose keys and values were re-used, and those that were run.
    rotated
        Tokens whose keys were turned to a new position.
    stale
        Tokens that are not exact now.
    policy, reason
        Which way was taken, and why.
    seconds
        By part: "diff" (and choosing), "move" (and turning), "encode".
    logits
        Scores after the last token, float32 [vocabulary]; None if the fit was cancelled.
    """

    length: int
    kept: int
    encoded: int
    rotated: int
    stale: int
    policy: Literal["exact", "patch"]
    reason: str
    seconds: dict[str, float] = field(default_factory=dict)
    logits: torch.Tensor | None = None

    @property
    def exact(self) -> bool:
        """Whether the cache is a full encoding's, and so are the scores."""
        return self.stale == 0


@dataclass(slots=True)
class Parked:
    """A sequence with its keys and values, out of use: no more memory than its tokens take.

    Parameters
    ----------
    ledger
        The tokens and their states.
    keys, values
        Of each layer, [heads, tokens, head_dim], on the model's device or on the CPU.
    regime
        Of RoPE whose frequencies depend on the length.
    """

    ledger: Ledger
    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    regime: int | None

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values."""
        return sum(t.nbytes for t in (*self.keys, *self.values))

    def to(self, device: torch.device | str) -> None:
        """Move keys and values to a device."""
        self.keys, self.values = ([t.to(device) for t in tensors] for tensors in (self.keys, self.values))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The tokens to run (in order), the blocks that stay, and the ledger after it."""

    run: list[int]
    blocks: list[Block]
    ledger: Ledger
    choice: Choice

    @property
    def appends(self) -> bool:
        """Whether all that is run follows, without a gap, on a beginning that stays where it is."""
        head = self.blocks[0].length if self.blocks and not self.blocks[0].new and not self.blocks[0].old else 0
        return self.run[0] <= head and self.run[-1] - self.run[0] + 1 == len(self.run)


class LiveCache:
    """The tokens of one sequence with their keys and values.

    Slot i of the buffers holds token i at position i, always; an edit moves what stands after it. What is after
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
    fixed_step
        A faster way to run consecutive tokens (ids, first position) to the last one's logits [1, vocabulary]; it may
        answer None.
    costs
        What encoding takes; measured at the first choice by default.
    rotation
        What turns the model's keys; found out by the self-test by default.
    """

    def __init__(
        self,
        model: Model,
        *,
        policy: Policy = "exact",
        effort: Effort | None = None,
        fixed_step: FixedStep = lambda _ids, _start: None,
        costs: Costs | None = None,
        rotation: Rotation | Refusal | None = None,
    ) -> None:
        self.model = model
        self.policy: Policy = policy
        self.effort = effort or Effort()
        shape = CacheShape.of(model)
        self.buffers = KeyValueBuffers(shape)
        self._fixed_step = fixed_step
        self._costs = costs
        self._rotation = rotation
        self._limit = length_limit(model)
        self._regime: int | None = None  # of RoPE whose frequencies depend on the length
        self._ledger = self._new_ledger()
        self._steps = torch.arange(self.buffers.capacity, device=model.device)
        self._token_bytes = model.tokenizer.token_bytes if model.tokenizer else None
        self._tree: TokenTree | None = None  # stands after the sequence, in the slots from `length` on
        self._grown = 0  # nodes of it that were run
        self._is_blended = False  # whether a node of it stands for something else than its token

    @property
    def ids(self) -> list[int]:
        """The sequence."""
        return self._ledger.ids

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
        self._regime = None

    def copy(
        self, *, policy: Policy | None = None, effort: Effort | None = None, rotation: Rotation | None = None
    ) -> LiveCache:
        """A cache in the same state, with buffers of its own; what is not given is as in this one."""
        other = LiveCache(
            self.model,
            policy=policy or self.policy,
            effort=effort or self.effort,
            costs=self._costs,
            rotation=rotation or self._rotation,
        )
        other.unpark(self.park())
        return other

    def park(self) -> Parked:
        """A copy of the sequence with its keys and values, for `unpark` of this cache or of another of the model."""
        stored = [self.buffers.read(layer, self.length) for layer in range(self.model.layers)]
        ledger = self._ledger.spliced(self.ids, [Block(0, 0, self.length)])
        return Parked(ledger, [k.clone() for k, _ in stored], [v.clone() for _, v in stored], self._regime)

    def unpark(self, parked: Parked, tokens: int | None = None) -> None:
        """Become the parked sequence, or its first `tokens` tokens; what is in the cache is forgotten."""
        self.clear()
        ledger = parked.ledger
        length = len(ledger) if tokens is None else tokens
        self._reserve(length)
        for layer, (keys, values) in enumerate(zip(parked.keys, parked.values, strict=True)):
            self.buffers.write(layer, slice(0, length), keys[:, :length], values[:, :length])
        self._ledger, self._regime = ledger.spliced(ledger.ids, [Block(0, 0, len(ledger))]), parked.regime
        self._ledger.truncate(length)

    @property
    def nbytes(self) -> int:
        """Bytes that the cache takes: keys and values, the spare slots, and what is known of each token."""
        return self.buffers.nbytes + self._ledger.nbytes + self._steps.nbytes

    def append(self, ids: Sequence[int], *, cancelled: Cancelled = never) -> torch.Tensor | None:
        """Encode `ids` after the sequence; return the logits after the last, float32 [vocabulary].

        None if `cancelled` became true between two chunks; the chunks that were run stay.
        """
        if not ids:
            raise ValueError("there must be at least one token to append")
        if missing := self.missing:  # a cancelled patch left them; nothing may read them
            self._encode_all(missing, never)
        regime = self._regime_of(self.length + len(ids))
        if not self.length:
            self._regime = regime
            if regime is not None:
                self.model.reset_frequencies()
        exact = regime == self._regime
        chunk = CHUNK if regime is None else max(CHUNK, len(ids))  # one pass has one set of frequencies
        logits = None
        for start in range(0, len(ids), chunk):
            if start and cancelled():
                return None
            before = self.length
            self._ledger.extend(ids[start : start + chunk])
            try:
                logits = self._encode(range(before, self.length), exact=exact)
            except BaseException:
                self._ledger.truncate(before)
                raise
        return logits

    def read(self, ids: Sequence[int]) -> torch.Tensor:
        """Scores after each of `ids` as if they were appended, float32 [len(ids), vocabulary]; nothing is kept."""
        start, end = self.length, self.length + len(ids)
        self._tree = None
        self._reserve(end)
        tokens = torch.tensor(list(ids), device=self.model.device)
        return self._forward(tokens, slice(start, end), end, last=False)

    def grow(self, tree: TokenTree, embeddings: torch.Tensor | None = None) -> torch.Tensor:
        """Run a tree after the sequence; return the logits of each node, float32 [nodes, vocabulary].

        A node sees the sequence and its own path: its logits are those after the sequence and the path. The sequence
        is shared, and stays as it is until `keep`. A tree that has grown since its last run is run from there on, and
        only the new nodes' logits come; whatever else is done with the cache in between makes it a new tree.

        With `embeddings` ([new nodes, hidden]) the new nodes stand for these and not for their tokens; such a tree
        cannot be kept.
        """
        if not self.length:
            raise ValueError("a tree needs a token in front of it")
        if missing := self.missing:
            self._encode_all(missing, never)
        if tree is not self._tree:
            self._tree, self._grown = tree, 0
        old, base = self._grown, self.length
        if old == len(tree):
            raise ValueError("the tree has no node that was not run")
        end, device = base + len(tree), self.model.device
        self._reserve(end)
        behind = torch.tensor(tree.depths, device=device) + base
        seen = tree.visible(old).to(device)
        step = Step(
            store=self.buffers,
            slots=slice(base + old, end),
            length=end,
            mask=torch.cat((seen.new_ones(len(seen), base), seen), 1),
            query_positions=behind[old:],
            key_positions=torch.cat((self._steps[:base], behind)),
        )
        self._grown = len(tree)
        self._is_blended = embeddings is not None or (self._is_blended and bool(old))
        tokens = torch.tensor(tree.tokens[old:], device=device) if embeddings is None else embeddings
        return self.model.forward(tokens, behind[old:], step, last=False)

    def keep(self, path: Sequence[int]) -> None:
        """Append these nodes of the tree that was run last, from the root on, with the keys and values they have.

        The rest of the tree is forgotten; an empty path forgets all of it.
        """
        tree, self._tree = self._tree, None
        if not path:
            return
        if tree is None or self._is_blended or max(path) >= self._grown or list(path) != tree.path(path[-1]):
            raise ValueError("only a path of a tree that was run can be kept")
        base = self.length
        moves = [(base + node, base + depth) for depth, node in enumerate(path) if node != depth]
        if moves:  # the positions are right already: nothing is turned
            source, target = torch.tensor(moves, device=self.model.device).T
            self.buffers.move(source, target, lambda _, keys: keys)
        self._ledger.extend([tree.tokens[node] for node in path])
        exact = self._regime_of(self.length) == self._regime
        self._ledger.written(range(base, self.length), exact=exact)

    def fit(self, ids: Sequence[int], *, cancelled: Cancelled = never) -> FitReport:
        """Make the sequence equal `ids` with the least work; at least the last token is run, for its logits.

        Once `cancelled` is true between two chunks the report has no logits. What was run stays, and the cache knows
        what is missing, so that the next call is right whatever it asks for.
        """
        if not ids:
            raise ValueError("there must be at least one token to fit")
        began = time.perf_counter()
        if self._regime != self._regime_of(len(ids)):
            self.clear()
        plan = self._plan(list(ids))
        planned = moved = time.perf_counter()
        rotated, run = 0, plan.run
        if plan.appends:
            self._ledger.truncate(run[0])
            logits = self.append(ids[run[0] :], cancelled=cancelled)
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
        """Find out now, and not when a prompt is edited for the first time, whether the model's keys can be turned."""
        self._refusal(self.length)

    def _new_ledger(self) -> Ledger:
        return Ledger(turned_is_exact=self.model.dtype in {torch.float32, torch.float64})

    def _regime_of(self, length: int) -> int | None:
        """Which frequencies a sequence of `length` has, None where they are the short ones (see `rotation`)."""
        if self._limit is None or length <= self._limit[1]:
            return None
        return length if self._limit[0] == "dynamic" else 0

    def _plan(self, ids: list[int]) -> _Plan:
        """What to keep and what to run; the exact way runs all that will not be exact."""
        old = self._ledger.comparable()
        refusal = self._refusal(len(ids), proves=bool(old))
        blocks = [Block(0, 0, common_prefix(old, ids))] if refusal else diff(old, ids)
        ledger = self._ledger.spliced(ids, blocks)
        last = len(ids) - 1
        inexact = [*(i for i in ledger.inexact() if i != last), last]
        if refusal:
            return _Plan(inexact, blocks, ledger, Choice(False, refusal))
        if len(ledger.missing()) >= len(inexact) - 1:  # as when typing appends: there is nothing to choose
            return _Plan(inexact, blocks, ledger, Choice(False, KEEPS_ALL))
        picked = chosen(old, ids, blocks, self.effort, self._token_bytes)
        run = [i for i in sorted(picked) if i == last or not ledger.is_exact(i)]
        table = self._token_bytes
        roles = lambda: changed_roles(old, ids, blocks, table) if table else 0  # noqa: E731
        choice = self._choice(run, inexact, ledger, roles)
        return _Plan(run if choice.patch else inexact, blocks, ledger, choice)

    def _refusal(self, length: int, *, proves: bool = True) -> str | None:
        """Why nothing after a change may be kept; None if it may.

        The self-test of the rotation takes as long as some passes: a first prompt, of which there is nothing to turn,
        does without (`proves`).
        """
        if self._limit and length > self._limit[1]:
            return f"the {self._limit[0]} frequencies of positions change behind {self._limit[1]} tokens"
        if self.policy == "exact":
            return "the policy is exact"
        if self._rotation is None and proves:
            self._rotation = rotation_of(self.model)
        return self._rotation.reason if isinstance(self._rotation, Refusal) else None

    def _choice(self, run: list[int], inexact: list[int], ledger: Ledger, roles: Callable[[], int]) -> Choice:
        if len(run) >= len(inexact):
            return Choice(False, KEEPS_ALL)
        if self.model.dtype.itemsize < 4 and max(ledger.turns) > policies.MOST_TURNS:
            return Choice(False, f"some keys were turned more than {policies.MOST_TURNS} times in 16 bit")
        if self.policy == "patch":
            return Choice(True, "the policy is patch")
        if (passed := roles()) > policies.MOST_ROLES:
            return Choice(False, f"{passed} tokens stand behind another mark: the cursor moved through them")
        if self._costs is None:
            self._costs = policies.costs_of(self.model)
        exact_s = self._costs.encoding(len(inexact), len(ledger), chunk=CHUNK)
        patch_s = self._costs.encoding(len(run) + self.effort.deviating, len(ledger), chunk=CHUNK)
        if self.effort.deviating:
            patch_s += exact_s / self.model.layers
        return policies.choose(exact_s, patch_s + self._costs.move_s * (len(ledger) - inexact[0]))

    def _splice(self, plan: _Plan) -> tuple[int, list[int]]:
        """Move what is kept to its new places; how many keys were turned, and what is to be run."""
        wanted = set(plan.run)
        moves = [
            (block.old + i, block.new + i)
            for block in plan.blocks
            if block.shift
            for i in range(block.length)
            if block.new + i not in wanted
        ]
        ids = plan.ledger.ids
        self._reserve(len(ids))
        self._ledger = self._new_ledger()  # should moving fail half-way, nothing is believed
        if moves:
            assert isinstance(self._rotation, Rotation), "blocks are moved only if they may be"
            source, target = torch.tensor(moves, device=self.model.device).T
            self.buffers.move(source, target, self._rotation.by(target - source))
        run = plan.run
        if plan.choice.patch and self.effort.deviating:
            run = self._with_deviating(plan)
        plan.ledger.lose(run)
        self._ledger = plan.ledger
        return len(moves), run

    def _with_deviating(self, plan: _Plan) -> list[int]:
        """The tokens to run, and the stale ones whose values deviate most after the first layer."""
        stale = set(plan.ledger.inexact()) - set(plan.run)
        both = sorted(stale | set(plan.run))
        scores = deviations(self.model, self.buffers, [plan.ledger.ids[i] for i in both], both, CHUNK)
        ranked = sorted((-score, i) for score, i in zip(scores, both, strict=True) if i in stale)
        return sorted([*plan.run, *(i for _, i in ranked[: self.effort.deviating])])

    def _encode_all(self, indices: Sequence[int], cancelled: Cancelled) -> torch.Tensor | None:
        logits = None
        for start in range(0, len(indices), CHUNK):
            if start and cancelled():
                return None
            logits = self._encode(indices[start : start + CHUNK])
        return logits

    def _encode(self, indices: Sequence[int], *, exact: bool = True) -> torch.Tensor:
        """Run the tokens at `indices` (in order), each seeing what stands before it; logits of the last [vocabulary].

        While they run they count as missing: what a failure leaves in the buffers is not believed.
        """
        first, end = indices[0], indices[-1] + 1
        self._tree = None
        self._reserve(end)
        self._ledger.lose(indices)
        tokens = torch.tensor([self.ids[i] for i in indices], device=self.model.device)
        consecutive = end - first == len(indices)
        logits = self._fixed_step(tokens, first) if consecutive else None
        if logits is None:
            slots = slice(first, end) if consecutive else torch.tensor(indices, device=self.model.device)
            logits = self._forward(tokens, slots, end)
        self._ledger.written(indices, exact=exact)
        return logits[-1]

    def _forward(
        self, tokens: torch.Tensor, slots: slice | torch.Tensor, end: int, *, last: bool = True
    ) -> torch.Tensor:
        positions = self._steps[slots]
        is_plain = isinstance(slots, slice) and (len(tokens) == 1 or slots.start == 0)
        mask = None if is_plain else self._steps[None, :end] <= positions[:, None]
        step = Step(store=self.buffers, slots=slots, length=end, mask=mask)
        if self.model.has_sliding_layers:
            step.query_positions, step.key_positions = positions, self._steps[:end]
        return self.model.forward(tokens, positions, step, last=last)

    def _reserve(self, slots: int) -> None:
        self.buffers.reserve(slots)
        if len(self._steps) < self.buffers.capacity:
            self._steps = torch.arange(self.buffers.capacity, device=self.model.device)
