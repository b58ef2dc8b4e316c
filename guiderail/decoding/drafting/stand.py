"""STAND (Song et al. 2025, arXiv 2506.04708): drafts drawn from the model's own distributions, remembered by n-gram.

A table holds, for the last four, three and two tokens of every place that was run, the average of the model's ten
largest probabilities there. At a temperature the children of a node are drawn from its row without replacement
(Gumbel top-k) and verified by rejection sampling, which accepts more of them than fixed candidates can; at greedy they
are the row's likeliest. The tree's shape is grown by how often a child of each rank was right.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.drafting.draft import Draft, Drafter, Verified
from guiderail.decoding.drafting.rates import HitRates, tried
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.spec import BuildContext, DrafterSpec, Metadata, parameter

if TYPE_CHECKING:
    from guiderail.decoding.constraints.constraint import Constraint

ORDERS = (4, 3, 2)  # tokens of a key, the longest first
KEPT = 10  # tokens of a row
WIDEST = 8  # children of a node
DEEPEST = 13
PRIORS = (0.45, 0.15, 0.08, 0.05, 0.04, 0.03, 0.02, 0.02)


@dataclass(frozen=True, kw_only=True)
class StandSpec(DrafterSpec):
    """Drafts from the distributions that the model had after the same n-grams."""

    metadata = Metadata(
        summary="draft a tree drawn from what the model's distributions were after the same last tokens",
        paper="STAND, arXiv 2506.04708, section 3",
        cost="no forward pass; about 2 kB for each n-gram that was run, and some 50 us a token of a draft",
        use="at a temperature, where drawn drafts are accepted more often; with greedy decoding auto is faster",
    )
    nodes: int = parameter(80, "most tokens of a draft", low=1, high=256)
    rows: int = parameter(50_000, "most n-grams that are remembered", low=100, high=10_000_000)

    def build(self, context: BuildContext) -> Stand:
        """See `DrafterSpec.build`."""
        return Stand(len(context.vocabulary.token_bytes), self.nodes, self.rows)


@dataclass(slots=True)
class _Row:
    """Average probabilities of the likeliest tokens, falling, and over how many visits."""

    probabilities: dict[int, float]
    visits: int

    def add(self, tokens: Sequence[int], probabilities: Sequence[float]) -> None:
        """Average with one more visit; the union's best are kept."""
        self.visits += 1
        new = dict(zip(tokens, probabilities, strict=True))
        share = 1 / self.visits
        both = {
            token: (1 - share) * self.probabilities.get(token, 0.0) + share * new.get(token, 0.0)
            for token in self.probabilities.keys() | new.keys()
        }
        self.probabilities = dict(sorted(both.items(), key=lambda item: (-item[1], item[0]))[:KEPT])


class Stand(Drafter):
    """Drafts from the table, which is kept from request to request.

    Parameters
    ----------
    vocabulary
        Ids; what a padded model scores after them is never drafted.
    nodes
        Tokens of a draft at most.
    rows
        N-grams that are remembered at most; the oldest go first.
    seed
        Of the draws; None for the likeliest instead of draws, until a text is sampled (`prepare`).
    """

    def __init__(self, vocabulary: int, nodes: int = 80, rows: int = 50_000, *, seed: int | None = None) -> None:
        self._vocabulary = vocabulary
        self._nodes = nodes
        self._rows = rows
        self._noise = torch.Generator().manual_seed(seed or 0)
        self._generator = None if seed is None else self._noise
        self._table: dict[tuple[int, ...], _Row] = {}
        self._rates = HitRates(PRIORS)

    def prepare(self, sampling: Sampling) -> None:
        """See `Drafter.prepare`."""
        self._generator = None if sampling.greedy else self._noise

    def propose(self, ids: Sequence[int], constraints: Sequence[Constraint], room: int) -> Draft | None:
        """The part of the planned tree for which there are rows; see `Drafter.propose`."""
        plan = self._plan(min(room, DEEPEST))
        draft = Draft(TokenTree(), [], plan=[chance for chance, _, _ in plan] if self._generator else ())
        places = {ROOT: ROOT}  # the plan's nodes that are there, by their place in it
        children: dict[int, list[int]] = {}
        for place, (chance, parent, rank) in enumerate(plan):
            if parent not in places:
                continue
            node = places[parent]
            if node not in children:
                children[node] = self._children(draft, node, [*ids[-ORDERS[0] :], *draft.tree.ids(node)])
            if rank < len(children[node]):
                places[place] = draft.tree.add(children[node][rank], node)
                draft.chances.append(chance)
                draft.labels.append(place if self._generator else rank)
        return draft

    def _plan(self, depth: int) -> list[tuple[float, int, int]]:
        """The likeliest tree by the rates alone: chance, parent's place, and rank of each node."""
        rates = [self._rates[rank] for rank in range(WIDEST)]
        for rank in range(1, WIDEST):  # a later sibling is never likelier: the earlier ones are tried first
            rates[rank] = min(rates[rank], rates[rank - 1])
        plan: list[tuple[float, int, int]] = []
        heap = [(-rate, ROOT, rank, 1) for rank, rate in enumerate(rates)]
        heapq.heapify(heap)
        while heap and len(plan) < self._nodes:
            chance, parent, rank, level = heapq.heappop(heap)
            plan.append((-chance, parent, rank))
            if level < depth:
                for child, rate in enumerate(rates):
                    heapq.heappush(heap, (chance * rate, len(plan) - 1, child, level + 1))
        return plan

    def _children(self, draft: Draft, node: int, context: Sequence[int]) -> list[int]:
        """Tokens after a node, the first to be tried first; drawn at a temperature."""
        row = next((r for n in ORDERS if (r := self._table.get(tuple(context[-n:]))) is not None), None)
        if row is None:
            return []
        if self._generator is None:
            return list(row.probabilities)[:WIDEST]
        q = torch.zeros(self._vocabulary)
        tokens = torch.tensor(list(row.probabilities))
        q[tokens] = torch.tensor(list(row.probabilities.values()))
        draft.drawn[node] = q / q.sum()
        noise = -torch.empty(len(tokens)).exponential_(generator=self._generator).log()
        ranked = (q[tokens].log() + noise).argsort(descending=True)[:WIDEST]
        return [token for token in tokens[ranked].tolist() if q[token] > 0]

    def learn(self, verified: Verified) -> None:
        """See `Drafter.learn`; every token of the pass counts, the rejected ones too."""
        draft = verified.draft
        if draft is not None and draft.owner is self:
            self._count(verified)
        scores = verified.logits[:, : self._vocabulary]
        best = scores.softmax(-1).topk(min(KEPT, self._vocabulary))
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        before = list(verified.ids[-ORDERS[0] :])
        for node, (tokens, probabilities) in enumerate(rows):
            context = before + verified.tree.ids(node)
            for n in ORDERS:
                if len(context) >= n:
                    row = self._table.setdefault(tuple(context[-n:]), _Row({}, 0))
                    row.add(tokens, probabilities)
        while len(self._table) > self._rows:
            del self._table[next(iter(self._table))]

    def _count(self, verified: Verified) -> None:
        """Count hits by rank: of drawn siblings those up to the one that was taken."""
        seen: dict[int, int] = {}
        for node, hit in tried(verified):
            parent = verified.tree.parents[node]
            rank = seen.get(parent, 0)
            seen[parent] = rank + 1
            self._rates.add(min(rank, WIDEST - 1), hit)
